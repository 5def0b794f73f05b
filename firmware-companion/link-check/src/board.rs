//! What both programs do: a board without registers serves and starts, for ever.
//!
//! Line and clock are [`black_box`]es, so nothing of the core can be optimised away.

use core::hint::black_box;

use bootlace_core::board::{Identity, Policy};
use bootlace_core::boot::Start;
use bootlace_core::flash::Flash;
use bootlace_core::link::Link;
use bootlace_core::{Applier, Companion, Next, Owner};
use bootlace_image::PublicKey;
use bootlace_smp::bootlace::Reset;

/// Bytes of a packet, and how many the board holds.
const FRAME: usize = 2048;
const WINDOW: usize = 2;
const MEMORY: usize = Link::<&mut [u8]>::memory(FRAME, WINDOW);

/// From reset to the application or to the next reset.
#[inline(always)]
pub(crate) fn serve(mut flash: impl Flash) {
    let keys = black_box([PublicKey::P256([4; 65])]);
    let board = Identity {
        name: "link-check",
        serial: black_box("0"),
        vendor: None,
        class: None,
        keys: &keys,
        policy: Policy::default(),
    };
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

#[cfg(target_os = "none")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {
        core::hint::spin_loop();
    }
}
