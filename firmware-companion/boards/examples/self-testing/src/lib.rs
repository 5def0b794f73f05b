//! An application that tests itself, confirms itself, and can be updated while it runs.
//!
//! Its main program answers SMP on the board's line; a timer's interrupt watches that the main program lives. While on
//! trial it runs its self-tests once: passed, it confirms itself; failed, it gives itself up with the number of the
//! test, and the bootloader brings its predecessor back.
#![no_std]

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use bootlace_app_kit::{Action, Application, Applier};
use bootlace_core::flash::Flash;
use bootlace_core::link::Link;
use bootlace_cortex_m::retained::Left;
use bootlace_cortex_m::{Port, reset, retained};
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

/// Seconds without a sign of life from the main program until the timer gives up on it: more than the check of a
/// signature takes, which is the longest that it does in one go.
const PATIENCE: u32 = 5;
/// The same for the chip's watchdog, which is there for when even the timer is dead.
const LAST_PATIENCE: u32 = 10;

/// Milliseconds without a byte in the middle of a packet: its rest was lost.
const SILENCE: u32 = 1000;

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
            reset(Left {
                requested: false,
                gave_up: Some(RollbackReason::Watchdog),
            });
        }
        if ticks.is_multiple_of(PATIENCE * 1000 / Timer::PERIOD) {
            ALIVE.store(false, Ordering::Relaxed);
        }
    }
}

/// The application.
pub fn run(behaviour: Behaviour) -> ! {
    let mut uart = Uart::open();
    let mut watchdog = Watchdog::start(LAST_PATIENCE);
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
    let board = identity(serial(&mut digits));
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
    let Ok(mut link) = Link::new(memory.as_mut_slice(), FRAME, WINDOW) else {
        reset(Left {
            requested: true,
            gave_up: None,
        })
    };
    loop {
        match serve(&mut application, &mut link, &mut flash, &mut uart, &mut watchdog) {
            Action::Verify(check) => {
                let verdict = check.run(&mut flash, &board);
                application.verified(&mut link, &mut flash, verdict);
            }
            Action::Restart(restart) => {
                while !uart.is_drained() {}
                reset(Left {
                    requested: restart.bootloader,
                    gave_up: restart.gave_up,
                })
            }
            Action::Idle | Action::Working => {}
        }
    }
}

/// Serves until there is something to do that is not the server's. The frame of this function is what patches need, 8 KB:
/// it is left before a check of a signature, which needs a lot as well.
#[inline(never)]
fn serve<F: Flash>(
    application: &mut Application,
    link: &mut Link<&mut [u8]>,
    flash: &mut F,
    uart: &mut Uart,
    watchdog: &mut Watchdog,
) -> Action {
    // A constant: it is not to be put together elsewhere on the stack first.
    let mut applier = const { Applier::new() };
    // When the last byte arrived, in ticks.
    let mut last = TICKS.load(Ordering::Relaxed);
    loop {
        ALIVE.store(true, Ordering::Relaxed);
        watchdog.feed();
        let mut moved = false;
        let ticks = TICKS.load(Ordering::Relaxed);
        while !link.is_full()
            && let Some(byte) = ARRIVED.pop()
        {
            link.feed(&[byte]);
            (moved, last) = (true, ticks);
        }
        listen(Interrupt::Uart);
        if link.is_receiving() && ticks.wrapping_sub(last) * Timer::PERIOD > SILENCE {
            link.idle();
        }
        let mut piece = [0; 16];
        let len = link.transmit(&mut piece);
        for &byte in piece.iter().take(len) {
            while !uart.write(byte) {}
            moved = true;
        }
        let now = u64::from(ticks) * u64::from(Timer::PERIOD);
        match application.step_with(link, flash, now, &mut applier) {
            // The next interrupt wakes it: a byte, or the timer.
            Action::Idle if !moved => cortex_m::asm::wfi(),
            Action::Idle | Action::Working => {}
            event => return event,
        }
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

/// The bootloader is told of a crash.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    reset(Left {
        requested: false,
        gave_up: Some(RollbackReason::Fault),
    })
}
