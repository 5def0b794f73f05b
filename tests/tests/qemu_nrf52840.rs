//! The nRF52840's binaries behind a maker's loader, on a Cortex-M4 with memory where the nRF52840 has flash and RAM (Arm's MPS2 with
//! AN386): started from their vector table as the loader does, to the start of an application, or to the LED that says that the
//! bootloader stays. QEMU has none of the chip's peripherals: what the program reads of them is given by hand.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::path::Path;

use bootlace_image::builder::{ImageBuilder, SigningKey};
use bootlace_tests::qemu::{Emulator, Gdb, program};

const SIZE: usize = 1 << 20;
const HEADER: u16 = 0x400;
/// The word that asks for the bootloader, where nothing of a loader lies (`cortex-m/src/retained.rs`).
const REQUEST: u32 = 0x2003_7FF4;
/// Whose vector table is in use, and which address could not be read.
const VECTORS_IN_USE: u32 = 0xE000_ED08;
const BAD_ADDRESS: u32 = 0xE000_ED38;
/// CLOCK: starts the crystal, which USB wants, and with that who waits for an update.
const CRYSTAL_START: u32 = 0x4000_0000;
/// The last of ACL's regions: address, size, what is forbidden.
const ACL: [u32; 3] = [0x4001_E870, 0x4001_E874, 0x4001_E878];
/// Numbers of registers.
const STACK: usize = 13;
const PLACE: u8 = 15;

/// Where a board's loader starts what it starts, and where its primary slot is.
struct Board {
    name: &'static str,
    start: usize,
    primary: usize,
}

const DONGLE: Board = Board {
    name: "nrf52840-dongle",
    start: 0x1000,
    primary: 0x1_1000,
};
const UF2: Board = Board {
    name: "nrf52840-uf2",
    start: 0x2_7000,
    primary: 0x3_7000,
};

/// How a run ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// The program with this vector table was started, and this was locked: address, size, what is forbidden.
    Started { vectors: u32, locked: [u32; 3] },
    /// The bootloader waits for an update: it looks for a cable.
    Stays,
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(*bytes[at..].first_chunk().unwrap())
}

fn read(gdb: &mut Gdb, address: u32) -> u32 {
    word(&gdb.read(address, 4).unwrap(), 0)
}

impl Board {
    /// Flash with the maker's part, which is no program, the bootloader, and an image.
    fn flash(&self, image: &[u8]) -> Vec<u8> {
        let mut flash = vec![0xFF; SIZE];
        let bootloader = program(self.name).unwrap();
        flash[self.start..][..bootloader.len()].copy_from_slice(&bootloader);
        flash[self.primary..][..image.len()].copy_from_slice(image);
        flash
    }

    /// The example application, signed with the demonstration's key.
    fn application(&self) -> Vec<u8> {
        let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("../firmware-companion/boards/keys/demo.pem");
        let key = SigningKey::from_pem(&std::fs::read_to_string(keys).unwrap()).unwrap();
        let program = program(&format!("{}-application", self.name)).unwrap();
        ImageBuilder::new(program).header_size(HEADER).sign(&key).build()
    }
}

/// One load or store of a word, byte or half: the instruction's length, its register, whether it loads.
struct Access {
    len: u32,
    register: u8,
    loads: bool,
}

/// Armv7-M Architecture Reference Manual, A5.2.4 and A5.3.
fn access(instruction: u32) -> Access {
    let (first, second) = (instruction as u16, (instruction >> 16) as u16);
    match first >> 11 {
        0b01100..=0b10001 => Access {
            len: 2,
            register: (first & 7) as u8,
            loads: first & 1 << 11 != 0,
        },
        0b01010 | 0b01011 => Access {
            len: 2,
            register: (first & 7) as u8,
            loads: first >> 9 & 7 > 2,
        },
        0b11111 => Access {
            len: 4,
            register: (second >> 12) as u8,
            loads: first & 1 << 4 != 0,
        },
        _ => panic!("{instruction:#x} is no load and no store of one register"),
    }
}

/// What the chip's peripherals say to who reads them.
fn peripheral(address: u32) -> u32 {
    match address {
        // FICR: the chip's number. NVMC: ready. Ports: no button is pressed.
        0x1000_0060..=0x1000_0067 => 0x1234_5678,
        0x4001_E400 => 1,
        0x5000_0510 | 0x5000_0810 => u32::MAX,
        // No reason of a reset, no word of a loader, no cable, a clock that stands.
        _ => 0,
    }
}

/// An access to what QEMU does not have: the place of its instruction, and the address.
type Missing = (u32, u32);

/// Runs from the vector table at `board.start` on, with `left` in RAM. `known` are accesses that fail, and are done by hand. Gives
/// the end, or the first other one.
fn attempt(board: &Board, flash: &[u8], left: Option<&[u8; 4]>, known: &[u32]) -> Result<End, Missing> {
    let emulator = Emulator::mps2_cortex_m4(flash).unwrap();
    let mut gdb = emulator.gdb().unwrap();
    if let Some(left) = left {
        gdb.write(REQUEST, left).unwrap();
    }
    // `app_start` of Nordic's loader (`nrf_bootloader_app_start_final.c`, line 82), `bootloader_util_reset` of Adafruit's.
    gdb.set_register(STACK as u8, word(flash, board.start)).unwrap();
    gdb.set_register(PLACE, word(flash, board.start + 4) & !1)
        .unwrap();
    let table = board.primary + usize::from(HEADER);
    let (stack, entry) = (word(flash, table), word(flash, table + 4) & !1);
    const HARD_FAULT: usize = 12;
    // Before the table is moved, the MBR's would be asked: it is blank here.
    let fault = word(flash, board.start + HARD_FAULT) & !1;
    for stop in known.iter().copied().chain([entry, fault]) {
        gdb.stop_at(stop).unwrap();
    }
    // There QEMU has something else, and nothing fails.
    gdb.watch((ACL[0], 12)).unwrap();
    gdb.watch((CRYSTAL_START, 4)).unwrap();
    let mut locked = [0; 3];
    loop {
        gdb.go().unwrap();
        let written = gdb.stopped().unwrap();
        let registers = gdb.registers().unwrap();
        let place = registers[usize::from(PLACE)];
        if written.is_some() {
            // About to be done: done by hand.
            let store = read(&mut gdb, place);
            let Access { len, register, .. } = access(store);
            let address = address_of(store, &registers);
            if address == CRYSTAL_START {
                return Ok(End::Stays);
            }
            let field = ACL.iter().position(|field| *field == address).unwrap();
            locked[field] = registers[usize::from(register)];
            gdb.set_register(PLACE, place + len).unwrap();
            continue;
        }
        if place == entry {
            assert_eq!(registers[STACK], stack);
            let vectors = read(&mut gdb, VECTORS_IN_USE);
            return Ok(End::Started { vectors, locked });
        }
        if place == fault {
            // The processor put eight registers on the stack, the place before the last.
            let failed = read(&mut gdb, registers[STACK] + 24);
            assert_eq!(
                read(&mut gdb, VECTORS_IN_USE),
                board.start as u32,
                "the table was not moved"
            );
            return Err((failed, read(&mut gdb, BAD_ADDRESS)));
        }
        assert!(known.contains(&place), "stopped at {place:#x}");
        let Access { len, register, loads } = access(read(&mut gdb, place));
        let address = address_of(read(&mut gdb, place), &registers);
        if loads {
            gdb.set_register(register, peripheral(address)).unwrap();
        }
        gdb.set_register(PLACE, place + len).unwrap();
    }
}

/// The address of a load or store: a register and a constant, or two registers.
fn address_of(instruction: u32, registers: &[u32; 16]) -> u32 {
    let (first, second) = (instruction as u16, (instruction >> 16) as u16);
    let low = |shift: u16| registers[usize::from(first >> shift & 7)];
    let offset = u32::from(first >> 6 & 31);
    match first >> 11 {
        0b01100 | 0b01101 => low(3).wrapping_add(offset * 4),
        0b01110 | 0b01111 => low(3).wrapping_add(offset),
        0b10000 | 0b10001 => low(3).wrapping_add(offset * 2),
        0b01010 | 0b01011 => low(3).wrapping_add(low(6)),
        _ => {
            let base = registers[usize::from(first & 15)];
            match (first & 1 << 7 != 0, second & 1 << 11 != 0) {
                (true, _) => base.wrapping_add(u32::from(second & 0xFFF)),
                // With eight bits, down or up; a base that changes is not written back here.
                (false, true) if second & 1 << 9 == 0 => base.wrapping_sub(u32::from(second & 0xFF)),
                (false, true) => base.wrapping_add(u32::from(second & 0xFF)),
                (false, false) => base.wrapping_add(registers[usize::from(second & 15)] << (second >> 4 & 3)),
            }
        }
    }
}

/// Runs until no access fails that is not known.
fn run(board: &Board, flash: &[u8], left: Option<&[u8; 4]>, known: &mut Vec<u32>) -> End {
    for _ in 0..60 {
        match attempt(board, flash, left, known) {
            Ok(end) => return end,
            Err((place, address)) => {
                assert!(!known.contains(&place), "{place:#x} fails again, at {address:#x}");
                known.push(place);
            }
        }
    }
    panic!("more than 60 accesses to peripherals: {known:x?}");
}

fn check(board: &Board) {
    let mut known = Vec::new();
    let good = board.application();
    let vectors = board.primary as u32 + u32::from(HEADER);
    // Bootloader and records, and all before them, against writing.
    let locked = [0, board.primary as u32, 1 << 1];
    assert_eq!(
        run(board, &board.flash(&good), None, &mut known),
        End::Started { vectors, locked }
    );
    let mut altered = good.clone();
    altered[usize::from(HEADER) + 0x5000] ^= 1;
    for (image, left) in [(&good[..], Some(b"BOOT")), (&altered, None), (&[], None)] {
        assert_eq!(
            run(board, &board.flash(image), left, &mut known),
            End::Stays,
            "{left:?}"
        );
    }
}

#[test]
fn behind_nordics_loader_a_signed_application_is_started_and_no_other() {
    check(&DONGLE);
}

#[test]
fn behind_adafruits_loader_a_signed_application_is_started_and_no_other() {
    check(&UF2);
}
