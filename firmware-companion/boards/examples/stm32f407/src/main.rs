//! An application over USB on an STM32F407 that tests itself, confirms itself, and can be updated while it runs.
#![no_std]
#![no_main]

use bootlace_app_kit::Application;
use bootlace_core::link::Link;
use bootlace_cortex_m::retained::{self, Left};
use bootlace_cortex_m::{Clock as _, Exit, Keys, Parts, reset, serve};
use bootlace_smp::bootlace::RollbackReason;
use bootlace_stm32f407::{
    Clock, ClockedLine, FRAME, LINK, PACKETS, SERIAL, WINDOW, Watchdog, bus, flash, identity, serial,
    start_clocks,
};

/// Self-test 1: the timer counts.
const TIMER: u8 = 1;
/// Milliseconds without a sign of life until the watchdog resets the chip: a check of a signature takes far less, and an erase feeds
/// the watchdog.
const PATIENCE: u32 = 5000;

#[cortex_m_rt::entry]
fn main() -> ! {
    static mut PACKET_MEMORY: [u32; PACKETS] = [0; PACKETS];

    let watchdog = Watchdog::start(PATIENCE);
    start_clocks();
    let mut clock = Clock::start();
    let mut digits = [0; SERIAL];
    let mut keys = Keys::new();
    let board = identity(serial(&mut digits), &mut keys);
    let mut flash = flash();
    let mut application = Application::new(&mut flash, &board, retained::start());
    if application.is_on_trial(&mut flash) {
        match timer_counts(&mut clock) {
            // Flash that fails leaves it on trial, and the deadline ends that.
            true => drop(application.confirm(&mut flash)),
            false => application.fail(TIMER),
        }
    }
    let mut memory = [0; LINK];
    let mut link = Link::in_array::<FRAME, WINDOW, LINK>(&mut memory);
    let bus = bus(PACKET_MEMORY);
    let parts = Parts {
        open: || ClockedLine::open(&bus, &board),
        clock,
        watchdog,
        gauge: (),
    };
    match serve(&mut application, &mut flash, &mut link, parts) {
        Exit::Reset(left) => reset(left),
        // An application starts no other.
        Exit::Boot(_) => reset(Left::default()),
    }
}

/// Whether a millisecond passes while the processor counts a few.
fn timer_counts(clock: &mut Clock) -> bool {
    let before = clock.now();
    const CYCLES: u32 = 5 * 168_000;
    cortex_m::asm::delay(CYCLES);
    clock.now() > before
}

bootlace_cortex_m::no_interrupts!(crashed);

/// The bootloader is told of a crash.
fn crashed() -> ! {
    reset(Left::given_up(RollbackReason::Fault))
}
