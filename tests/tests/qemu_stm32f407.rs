//! The STM32F407's own binary on the processor and memory of an STM32F405, as far as QEMU has it: from the first instruction to the
//! start of an application, or to the LED that says that the bootloader stays.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::path::Path;

use bootlace_image::builder::{ImageBuilder, SigningKey};
use bootlace_tests::qemu::{Emulator, Gdb, Watched, program};

/// Flash, where the processor sees it, and what lies where: the board's own map says so.
const FLASH: (u32, usize) = (0x0800_0000, 1 << 20);
const PRIMARY: usize = 0x2_0000;
const HEADER: u16 = 0x400;
/// GPIOD_BSRR: written when the bootloader lights its LED.
const LED: Watched = (0x4002_0C18, 4);
/// The word in RAM that asks for the bootloader.
const REQUEST: (u32, &[u8; 4]) = (0x2000_0004, b"BOOT");
/// Of the processor: which address could not be read, and whose vector table is in use.
const BAD_ADDRESS: u32 = 0xE000_ED38;
const VECTORS_IN_USE: u32 = 0xE000_ED08;
/// The chip's own number, 12 bytes, which QEMU does not have.
const UNIQUE_ID: u32 = 0x1FFF_7A10;
/// Numbers of registers.
const STACK: usize = 13;
const PLACE: usize = 15;

/// How the bootloader ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// It started the program with this vector table.
    Started(u32),
    /// It lit its LED.
    Stays,
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(*bytes[at..].first_chunk().unwrap())
}

fn read(gdb: &mut Gdb, address: u32) -> u32 {
    word(&gdb.read(address, 4).unwrap(), 0)
}

/// The bootloader, and `image` in the primary slot.
fn flash(image: &[u8]) -> Vec<u8> {
    let mut flash = vec![0xFF; FLASH.1];
    let bootloader = program("stm32f407").unwrap();
    flash[..bootloader.len()].copy_from_slice(&bootloader);
    flash[PRIMARY..][..image.len()].copy_from_slice(image);
    flash
}

/// The example application, signed with the demonstration's key.
fn application() -> Vec<u8> {
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("../firmware-companion/boards/keys/demo.pem");
    let key = SigningKey::from_pem(&std::fs::read_to_string(keys).unwrap()).unwrap();
    let program = program("stm32f407-application").unwrap();
    ImageBuilder::new(program).header_size(HEADER).sign(&key).build()
}

/// Where the bootloader reads the chip's own number: the instruction whose read fails.
fn number_is_read_at(flash: &[u8]) -> u32 {
    let emulator = Emulator::stm32f405(flash).unwrap();
    let mut gdb = emulator.gdb().unwrap();
    const HARD_FAULT: usize = 12;
    gdb.stop_at(word(flash, HARD_FAULT) & !1).unwrap();
    gdb.go().unwrap();
    gdb.stopped().unwrap();
    let failed = read(&mut gdb, BAD_ADDRESS);
    assert!((UNIQUE_ID..UNIQUE_ID + 12).contains(&failed), "{failed:#x}");
    // The processor put eight registers on the stack, the place before the last.
    let stack = gdb.registers().unwrap()[STACK];
    read(&mut gdb, stack + 24)
}

/// Runs the bootloader from power-on, with `left` in RAM, to its end. The chip's number is given to it by hand.
fn run(flash: &[u8], left: Option<(u32, &[u8; 4])>) -> End {
    let number = number_is_read_at(flash);
    let emulator = Emulator::stm32f405(flash).unwrap();
    let mut gdb = emulator.gdb().unwrap();
    if let Some((address, word)) = left {
        gdb.write(address, word).unwrap();
    }
    let table = PRIMARY + usize::from(HEADER);
    let (stack, entry) = (word(flash, table), word(flash, table + 4) & !1);
    for stop in [number, entry, word(flash, 12) & !1] {
        gdb.stop_at(stop).unwrap();
    }
    gdb.watch(LED).unwrap();
    loop {
        gdb.go().unwrap();
        if gdb.stopped().unwrap().is_some() {
            return End::Stays;
        }
        let registers = gdb.registers().unwrap();
        match registers[PLACE] {
            place if place == number => {
                // Loads of 16 bits by two registers, or by one and a constant: the lowest three bits are the target.
                let load = read(&mut gdb, place) as u16;
                assert!(load >> 9 == 0b010_1100 || load >> 11 == 0b0_1101, "{load:#x}");
                gdb.set_register((load & 7) as u8, 0x1234_5678).unwrap();
                gdb.set_register(PLACE as u8, place + 2).unwrap();
            }
            place if place == entry => {
                assert_eq!(registers[STACK], stack);
                return End::Started(read(&mut gdb, VECTORS_IN_USE));
            }
            place => panic!("a fault: {place:#x}, {:#x}", read(&mut gdb, BAD_ADDRESS)),
        }
    }
}

#[test]
fn a_signed_application_is_started_with_its_own_vector_table() {
    let table = FLASH.0 + PRIMARY as u32 + u32::from(HEADER);
    assert_eq!(run(&flash(&application()), None), End::Started(table));
}

#[test]
fn the_bootloader_stays_with_its_led_on_where_it_is_asked_to_or_nothing_may_run() {
    let good = application();
    let mut altered = good.clone();
    altered[usize::from(HEADER) + 0x5000] ^= 1;
    for (image, left) in [(&good[..], Some(REQUEST)), (&altered, None), (&[], None)] {
        assert_eq!(run(&flash(image), left), End::Stays, "{left:?}");
    }
}
