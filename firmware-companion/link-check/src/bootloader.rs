//! A whole bootloader for an nRF52840 but for its USB stack and registers: what is left of a chip's flash for those.
//!
//! Memory, line and clock are [`black_box`]es, so nothing of the core can be optimised away; the map is a constant, as a
//! board has it.
#![cfg_attr(target_os = "none", no_std, no_main)]

// Copying and clearing in little flash, as on the boards.
#[cfg(target_os = "none")]
#[path = "../../boards/cortex-m/src/small.rs"]
mod small;

mod board;

use core::hint::black_box;

use bootlace_core::chip::{Chip, Driver, Map, OneChip, Region};
use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};

/// Erase unit.
const PAGE: u32 = 4096;

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

impl Driver for Controller {}

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
    board::serve(OneChip::<Controller, Nrf52840>::new(Controller));
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

/// On a machine with an operating system there is nothing to link for.
#[cfg(not(target_os = "none"))]
fn main() {
    // Named, so that nothing above counts as unused.
    black_box(bootloader as fn());
}
