//! A board without registers: everything that a bootloader calls of the core, linked for a chip. `cargo xtask test`
//! prints what it weighs.
//!
//! Memory, line and clock are [`black_box`]es, so nothing of the core can be optimised away.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::hint::black_box;

use bootlace_core::board::{Identity, Policy};
use bootlace_core::boot::Start;
use bootlace_core::flash::{Area, Flash, FlashError, Geometry};
use bootlace_core::link::Link;
use bootlace_core::{Applier, Companion, Next, Owner};
use bootlace_image::PublicKey;
use bootlace_smp::bootlace::Reset;

/// Slots of 200 KB, as an nRF52840 with SoftDevice has them.
const SLOT: u32 = 200 * 1024;
/// Bytes of a packet, and how many the board holds.
const FRAME: usize = 2048;
const WINDOW: usize = 2;
const MEMORY: usize = Link::<&mut [u8]>::memory(FRAME, WINDOW);

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

/// From reset to the application or, with the server, to the next reset.
fn companion() {
    let keys = black_box([PublicKey::P256([4; 65])]);
    let board = Identity {
        name: "link-check",
        serial: black_box("0"),
        vendor: None,
        class: None,
        keys: &keys,
        policy: Policy::default(),
    };
    let mut flash = Chip;
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
        companion();
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
    black_box(companion as fn());
}
