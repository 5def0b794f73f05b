//! An application that tests itself, confirms itself, and can be updated while it runs.
//!
//! Its main program answers SMP on the board's line; a timer's interrupt watches that the main program lives. While on
//! trial it runs its self-tests once: passed, it confirms itself; failed, it gives itself up with the number of the
//! test, and the bootloader brings its predecessor back.
#![no_std]

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use bootlace_app_kit::Application;
use bootlace_core::link::Link;
use bootlace_cortex_m::retained::Left;
use bootlace_cortex_m::{Clock, Conversation, Exit, Keys, Line, PIECE, Parts, reset, retained, serve};
use bootlace_qemu_microbit::{
    FRAME, Interrupt, LINK, Timer, Uart, WINDOW, Watchdog, arrived, flash, identity, serial,
};
use bootlace_smp::bootlace::RollbackReason;
use cortex_m::peripheral::NVIC;

mod ring;
mod tests;

pub use tests::SelfTest;

/// How it behaves once it is started: there is one program for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// It is well.
    Normal,
    /// The main program hangs before it has confirmed itself.
    Hangs,
    /// It hangs with interrupts off.
    Dead,
    /// A self-test fails.
    Unhealthy,
    /// It never confirms itself.
    Undecided,
}

/// Interrupts of the timer since the start.
static TICKS: AtomicU32 = AtomicU32::new(0);
/// The main program was there since the last look.
static ALIVE: AtomicBool = AtomicBool::new(true);
/// Bytes from the line.
static ARRIVED: ring::Ring<256> = ring::Ring::new();

/// Seconds without a sign of life from the main program until the timer gives up on it: many times what a poll takes.
const PATIENCE: u32 = 5;
/// The same for the chip's watchdog, which is there for when even the timer is dead.
const LAST_PATIENCE: u32 = 10;

/// Every interrupt of the chip; which ones are enabled is decided in [`run`].
#[allow(
    unsafe_code,
    reason = "the runtime crate marks it so: it is never to be called"
)]
#[cortex_m_rt::exception]
unsafe fn DefaultHandler(interrupt: i16) {
    if interrupt == Interrupt::Uart as i16 {
        while ARRIVED.has_room()
            && let Some(byte) = arrived()
        {
            ARRIVED.push(byte);
        }
        if !ARRIVED.has_room() {
            // The main program takes some and listens again.
            NVIC::mask(Interrupt::Uart);
        }
    } else if interrupt == Interrupt::Timer as i16 {
        Timer::acknowledge();
        let ticks = TICKS.load(Ordering::Relaxed) + 1;
        TICKS.store(ticks, Ordering::Relaxed);
        if ticks.is_multiple_of(PATIENCE * 1000 / Timer::PERIOD) && !ALIVE.load(Ordering::Relaxed) {
            reset(Left::given_up(RollbackReason::Watchdog));
        }
        if ticks.is_multiple_of(PATIENCE * 1000 / Timer::PERIOD) {
            ALIVE.store(false, Ordering::Relaxed);
        }
    }
}

/// The application.
pub fn run(behaviour: Behaviour) -> ! {
    let mut uart = Uart::open();
    let watchdog = Watchdog::start(LAST_PATIENCE);
    uart.interrupt_on_arrival();
    Timer::interrupt();
    listen(Interrupt::Uart);
    listen(Interrupt::Timer);
    match behaviour {
        Behaviour::Normal | Behaviour::Unhealthy | Behaviour::Undecided => {}
        Behaviour::Hangs => loop {
            cortex_m::asm::nop();
        },
        Behaviour::Dead => {
            cortex_m::interrupt::disable();
            loop {
                cortex_m::asm::nop();
            }
        }
    }

    let mut digits = [0; 16];
    // Beside the stack, which patches need most of. This program runs once.
    let Some(keys) = cortex_m::singleton!(: Keys = Keys::new()) else {
        crashed()
    };
    let board = identity(serial(&mut digits), keys);
    let mut flash = flash();
    let mut application = Application::new(&mut flash, &board, retained::start());
    if behaviour != Behaviour::Undecided && application.is_on_trial(&mut flash) {
        match tests::run(behaviour) {
            // Flash that fails leaves it on trial, and the deadline ends that.
            Ok(()) => drop(application.confirm(&mut flash)),
            Err(test) => application.fail(test as u8),
        }
    }

    let mut memory = [0; LINK];
    let mut link = Link::in_array::<FRAME, WINDOW, LINK>(&mut memory);
    let mut uart = Some(uart);
    let parts = Parts {
        open: || Ringed(uart.take().unwrap_or_else(Uart::open)),
        clock: Ticks,
        watchdog: Alive(watchdog),
        gauge: (),
    };
    match serve(&mut application, &mut flash, &mut link, parts) {
        Exit::Reset(left) => reset(left),
        // An application starts no other.
        Exit::Boot(_) => reset(Left::default()),
    }
}

/// The line, whose bytes an interrupt takes.
struct Ringed(Uart);

impl Line for Ringed {
    fn read(&mut self, bytes: &mut [u8; PIECE], _: Conversation) -> usize {
        let places = bytes.iter_mut().zip(core::iter::from_fn(|| ARRIVED.pop()));
        let read = places.map(|(place, byte)| *place = byte).count();
        // There is room again.
        listen(Interrupt::Uart);
        read
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        self.0.write(bytes)
    }

    fn is_drained(&self) -> bool {
        self.0.is_drained()
    }
}

/// The timer's interrupts as a clock.
struct Ticks;

impl Clock for Ticks {
    fn now(&mut self) -> u64 {
        u64::from(TICKS.load(Ordering::Relaxed)) * u64::from(Timer::PERIOD)
    }

    /// The next interrupt wakes it: a byte, or the timer.
    fn rest(&mut self, _: Option<u64>) {
        cortex_m::asm::wfi();
    }
}

/// The chip's watchdog, and the sign of life that the timer's interrupt looks for.
struct Alive(Watchdog);

impl bootlace_cortex_m::Watchdog for Alive {
    fn feed(&mut self) {
        ALIVE.store(true, Ordering::Relaxed);
        self.0.feed();
    }
}

/// Lets an interrupt come.
fn listen(interrupt: Interrupt) {
    #[allow(unsafe_code, reason = "from now on it may come at any time")]
    // SAFETY: the handler shares nothing with the rest but atomics.
    unsafe {
        NVIC::unmask(interrupt);
    }
}

bootlace_cortex_m::on_panic!(crashed);

/// The bootloader is told of a crash.
fn crashed() -> ! {
    reset(Left::given_up(RollbackReason::Fault))
}
