//! The companion bootloader on a BBC micro:bit.
#![no_std]
#![no_main]

use bootlace_core::boot::Entry;
#[cfg(not(feature = "delta"))]
use bootlace_cortex_m::companion;
#[cfg(feature = "delta")]
use bootlace_cortex_m::companion_with_patches as companion;
use bootlace_cortex_m::{Exit, jump, reset, retained};
use bootlace_qemu_microbit::{
    FRAME, LINK, Timer, Uart, WINDOW, flash, identity, is_button_held, lock_bootloader, reset_reason, serial,
};

bootlace_cortex_m::forward_exceptions!();

#[cortex_m_rt::entry]
fn main() -> ! {
    static mut MEMORY: [u8; LINK] = [0; LINK];
    static mut SERIAL: [u8; 16] = [0; 16];

    let left = retained::take();
    let entry = Entry {
        reset: reset_reason(),
        requested: left.requested || is_button_held(),
        gave_up: left.gave_up,
    };
    retained::tell_start(entry.reset);
    let board = identity(serial(SERIAL));
    match companion(
        &board,
        entry,
        &mut flash(),
        || {
            Timer::run();
            Uart::open()
        },
        MEMORY,
        (FRAME, WINDOW),
    ) {
        Exit::Boot(vectors) => {
            lock_bootloader();
            jump(vectors)
        }
        Exit::Reset { bootloader } => reset(retained::Left {
            requested: bootloader,
            gave_up: None,
        }),
    }
}

/// Nothing that comes from outside gets here. Starting again and staying is the way to be mended.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    reset(retained::Left {
        requested: true,
        gave_up: None,
    })
}
