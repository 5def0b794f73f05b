//! A board without registers: everything that a bootloader calls of the core, linked for a chip. `cargo xtask test`
//! prints what it weighs.
//!
//! Memory, line and clock are [`black_box`]es, so nothing of the core can be optimised away.
#![cfg_attr(target_os = "none", no_std, no_main)]

mod board;

use core::hint::black_box;

use bootlace_core::flash::{Area, Flash, FlashError, Geometry};

/// Slots of 200 KB, as an nRF52840 with SoftDevice has them.
const SLOT: u32 = 200 * 1024;
struct Chip;

impl Flash for Chip {
    fn geometry(&self, area: Area) -> Geometry {
        let (address, size) = match area {
            Area::Primary => (0x2_6000, SLOT),
            Area::Secondary => (0x5_8000, SLOT),
            Area::State => (0x8_A000, 0x2000),
            Area::Golden => (0x8_C000, SLOT),
        };
        Geometry {
            address,
            size,
            erase: 0x1000,
            write: 4,
        }
    }

    fn read(&mut self, area: Area, offset: u32, out: &mut [u8]) -> Result<(), FlashError> {
        black_box((area, offset, out));
        black_box(Ok(()))
    }

    fn program(&mut self, area: Area, offset: u32, data: &[u8]) -> Result<(), FlashError> {
        black_box((area, offset, data));
        black_box(Ok(()))
    }

    fn erase(&mut self, area: Area, offset: u32) -> Result<(), FlashError> {
        black_box((area, offset));
        black_box(Ok(()))
    }
}

/// From reset to the application or to the next reset.
fn companion() {
    board::serve(Chip);
}

/// Where the chip starts.
// The linker finds the start by its name; there is nothing else that could have it.
#[allow(unsafe_code)]
#[cfg(target_os = "none")]
#[unsafe(no_mangle)]
pub extern "C" fn reset() -> ! {
    loop {
        companion();
    }
}

/// On a machine with an operating system there is nothing to link for.
#[cfg(not(target_os = "none"))]
fn main() {
    // Named, so that nothing above counts as unused.
    black_box(companion as fn());
}
