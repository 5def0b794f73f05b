//! A whole bootloader for an nRF52840 but for its USB stack and registers: what is left of a chip's flash for those.
//!
//! Memory, line and clock are [`black_box`]es, so nothing of the core can be optimised away; the map is a constant, as a
//! board has it.
#![cfg_attr(target_os = "none", no_std, no_main)]

// Copying and clearing in little flash, as on the boards.
#[cfg(target_os = "none")]
#[path = "../../boards/cortex-m/src/small.rs"]
mod small;

use core::hint::black_box;

use bootlace_core::board::{Identity, Policy};
use bootlace_core::boot::Start;
use bootlace_core::chip::{Chip, Map, OneChip, Region};
use bootlace_core::link::Link;
use bootlace_core::{Applier, Companion, Next, Owner};
use bootlace_image::PublicKey;
use bootlace_smp::bootlace::Reset;
use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};

/// Erase unit.
const PAGE: u32 = 4096;
/// Bytes of a packet, and how many the board holds.
const FRAME: usize = 2048;
const WINDOW: usize = 2;
const MEMORY: usize = Link::<&mut [u8]>::memory(FRAME, WINDOW);

/// 48 KB for the bootloader, two pages of records, two slots, and the last pages for the application's own.
struct Nrf52840;

impl Chip for Nrf52840 {
    const BASE: u32 = 0;
    const MAP: Map = Map {
        state: Region::units(PAGE, 12, 2),
        primary: Region::units(PAGE, 14, 118),
        secondary: Region::units(PAGE, 132, 119),
        golden: None,
    };
}

struct Controller;

impl ErrorType for Controller {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for Controller {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        black_box((offset, bytes));
        black_box(Ok(()))
    }

    fn capacity(&self) -> usize {
        1024 * 1024
    }
}

impl NorFlash for Controller {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = PAGE as usize;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        black_box((from, to));
        black_box(Ok(()))
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        black_box((offset, bytes));
        black_box(Ok(()))
    }
}

/// From reset to the application or to the next reset.
fn bootloader() {
    let keys = black_box([PublicKey::P256([4; 65])]);
    let board = Identity {
        name: "nRF52840",
        serial: black_box("0"),
        vendor: None,
        class: None,
        keys: &keys,
        policy: Policy::default(),
    };
    let mut flash = OneChip::<Controller, Nrf52840>::new(Controller);
    let start = Start {
        reset: black_box(Reset::PowerOn),
        requested: black_box(false),
        held: false,
        gave_up: None,
    };
    let mut companion = Companion::new(&mut flash, &board, start);
    let mut memory = black_box([0; MEMORY]);
    let mut link = Link::in_array::<FRAME, WINDOW, MEMORY>(&mut memory);
    let mut applier = const { Applier::new() };
    loop {
        link.feed(&black_box([0; 64]));
        let next = companion.poll(&mut flash, &mut link, black_box(0), Some(&mut applier));
        if let Next::Boot { .. } | Next::Reset { .. } = black_box(next) {
            return;
        }
        let mut out = [0; 64];
        let sent = link.transmit(&mut out);
        black_box((out, sent));
    }
}

/// Where the chip starts.
// The linker finds the start by its name; there is nothing else that could have it.
#[allow(unsafe_code)]
#[cfg(target_os = "none")]
#[unsafe(no_mangle)]
pub extern "C" fn reset() -> ! {
    loop {
        bootloader();
    }
}

#[cfg(target_os = "none")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

/// On a machine with an operating system there is nothing to link for.
#[cfg(not(target_os = "none"))]
fn main() {
    // Named, so that nothing above counts as unused.
    black_box(bootloader as fn());
}
