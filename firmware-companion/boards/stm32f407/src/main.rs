//! The companion bootloader on an STM32F407.
#![no_std]
#![no_main]

use bootlace_core::Companion;
use bootlace_core::boot::Start;
use bootlace_core::link::Link;
use bootlace_cortex_m::{Exit, Keys, Parts, jump, reset, retained, serve};
use bootlace_stm32f407::{
    Bus, Clock, ClockedLine, FRAME, LINK, PACKETS, SERIAL, WINDOW, Watchdog, bus, flash, identity,
    is_button_held, leave, reset_reason, serial, show_bootloader, start_clocks,
};

bootlace_cortex_m::identity_block!();

#[cortex_m_rt::entry]
fn main() -> ! {
    static mut MEMORY: [u8; LINK] = [0; LINK];
    static mut DIGITS: [u8; SERIAL] = [0; SERIAL];
    static mut KEYS: Keys = Keys::new();
    static mut PACKET_MEMORY: [u32; PACKETS] = [0; PACKETS];
    static mut BUS: Option<Bus> = None;

    let left = retained::take();
    start_clocks();
    let start = Start {
        reset: reset_reason(),
        requested: left.requested,
        held: is_button_held(),
        gave_up: left.gave_up,
    };
    retained::tell_start(start.reset);
    let board = identity(serial(DIGITS), KEYS);
    let mut flash = flash();
    let mut companion = Companion::new(&mut flash, &board, start);
    let mut link = Link::in_array::<FRAME, WINDOW, LINK>(MEMORY);
    let bus = &*BUS.insert(bus(PACKET_MEMORY));
    let parts = Parts {
        open: || {
            show_bootloader();
            ClockedLine::open(bus, &board)
        },
        clock: Clock::start(),
        watchdog: Watchdog::that_may_run(),
        gauge: (),
    };
    match serve(&mut companion, &mut flash, &mut link, parts) {
        Exit::Boot(vectors) => {
            leave();
            jump(vectors)
        }
        Exit::Reset(left) => reset(left),
    }
}

// Nothing that comes from outside gets there.
bootlace_cortex_m::no_interrupts!(bootlace_cortex_m::fault);
