//! An application over USB on an nRF52840 that tests itself, confirms itself, and can be updated while it runs.
#![no_std]
#![no_main]

use bootlace_app_kit::Application;
use bootlace_core::link::Link;
use bootlace_cortex_m::retained::{self, Left};
use bootlace_cortex_m::{Clock as _, Exit, Keys, Parts, reset, serve};
use bootlace_nrf52840::{
    CabledLine, Clock, FRAME, LINK, Timer, WINDOW, Watchdog, bus, flash, identity, serial,
};
use bootlace_smp::bootlace::RollbackReason;

/// Self-test 1: the timer counts.
const TIMER: u8 = 1;
/// Seconds without a sign of life until the watchdog resets the chip: a check of a signature and an erase take far less.
const PATIENCE: u32 = 5;

#[cortex_m_rt::entry]
fn main() -> ! {
    let watchdog = Watchdog::start(PATIENCE);
    Timer::run();
    let mut digits = [0; 16];
    let mut keys = Keys::new();
    let board = identity(serial(&mut digits), &mut keys);
    let mut flash = flash();
    let mut application = Application::new(&mut flash, &board, retained::start());
    if application.is_on_trial(&mut flash) {
        match timer_counts() {
            // Flash that fails leaves it on trial, and the deadline ends that.
            true => drop(application.confirm(&mut flash)),
            false => application.fail(TIMER),
        }
    }
    let mut memory = [0; LINK];
    let mut link = Link::in_array::<FRAME, WINDOW, LINK>(&mut memory);
    let bus = bus();
    let parts = Parts {
        open: || CabledLine::open(&bus, &board),
        clock: Clock::default(),
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
fn timer_counts() -> bool {
    let mut clock = Clock::default();
    let before = clock.now();
    const CYCLES: u32 = 5 * 64_000;
    cortex_m::asm::delay(CYCLES);
    clock.now() > before
}

bootlace_cortex_m::no_interrupts!(crashed);

/// The bootloader is told of a crash.
fn crashed() -> ! {
    reset(Left::given_up(RollbackReason::Fault))
}
