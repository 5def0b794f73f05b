//! The companion bootloader on a BBC micro:bit.
#![no_std]
#![no_main]

use bootlace_core::Companion;
use bootlace_core::boot::Start;
use bootlace_core::link::Link;
use bootlace_cortex_m::{Exit, Keys, Parts, jump, reset, retained, serve};
use bootlace_qemu_microbit::{
    Clock, FRAME, LINK, Timer, Uart, WINDOW, Watchdog, flash, identity, is_button_held, lock_bootloader,
    reset_reason, serial,
};

bootlace_cortex_m::forward_exceptions!();
bootlace_cortex_m::identity_block!();

#[cortex_m_rt::entry]
fn main() -> ! {
    static mut MEMORY: [u8; LINK] = [0; LINK];
    static mut SERIAL: [u8; 16] = [0; 16];
    static mut KEYS: Keys = Keys::new();

    let left = retained::take();
    let start = Start {
        reset: reset_reason(),
        requested: left.requested,
        held: is_button_held(),
        gave_up: left.gave_up,
    };
    retained::tell_start(start.reset);
    let board = identity(serial(SERIAL), KEYS);
    let mut flash = flash();
    let mut companion = Companion::new(&mut flash, &board, start);
    let mut link = Link::in_array::<FRAME, WINDOW, LINK>(MEMORY);
    let parts = Parts {
        open: || {
            Timer::run();
            Uart::open()
        },
        clock: Clock::default(),
        watchdog: Watchdog::that_may_run(),
        gauge: (),
    };
    match serve(&mut companion, &mut flash, &mut link, parts) {
        Exit::Boot(vectors) => {
            lock_bootloader();
            jump(vectors)
        }
        Exit::Reset(left) => reset(left),
    }
}

// Nothing that comes from outside gets there.
bootlace_cortex_m::on_panic!(bootlace_cortex_m::fault);
