//! The timer, as a clock and to sleep by.

use core::sync::atomic::{AtomicBool, Ordering};

use cortex_m::peripheral::NVIC;

use crate::interrupt::Interrupt;
use crate::registers::{read, set, write};

const ALARM_0: usize = 0x4005_4010;
/// The time's upper and lower word in microseconds, both as they are now.
const RAW_HIGH: usize = 0x4005_4024;
const RAW_LOW: usize = 0x4005_4028;
const PENDING: usize = 0x4005_4034;
const INTERRUPTS_ON: usize = 0x4005_4038;

/// The timer's interrupt came since [`Clock::nap`] began.
static FIRED: AtomicBool = AtomicBool::new(false);

/// Microseconds since the clocks were started.
fn micros() -> u64 {
    loop {
        let (high, low) = (read(RAW_HIGH), read(RAW_LOW));
        if read(RAW_HIGH) == high {
            return u64::from(high) << 32 | u64::from(low);
        }
    }
}

/// The timer as a clock.
#[derive(Debug, Default)]
pub struct Clock;

impl Clock {
    /// Sleeps until the timer has counted `micros` microseconds more, and says whether its interrupt woke the processor.
    pub fn nap(&mut self, micros: u32) -> bool {
        FIRED.store(false, Ordering::Relaxed);
        set(INTERRUPTS_ON, 1);
        write(ALARM_0, read(RAW_LOW).wrapping_add(micros));
        listen(Interrupt::Timer);
        // What came before may have left an event; a timer that is quite dead is the watchdog's to find.
        for _ in 0..3 {
            if FIRED.load(Ordering::Relaxed) {
                return true;
            }
            cortex_m::asm::wfe();
        }
        FIRED.load(Ordering::Relaxed)
    }
}

impl bootlace_cortex_m::Clock for Clock {
    fn now(&mut self) -> u64 {
        micros() / 1000
    }

    /// Sleeps until USB has something, or that time. An interrupt that comes before the processor sleeps has left an event
    /// for it, so that it does not fall asleep.
    fn rest(&mut self, until: Option<u64>) {
        // A second at most: an alarm has but 32 bits, and nothing is lost by looking.
        const LONGEST: u64 = 1_000_000;
        let now = micros();
        let end = until.map_or(u64::MAX, |until| until.saturating_mul(1000));
        let Some(left) = end.checked_sub(now).filter(|left| *left > 0) else {
            return;
        };
        set(INTERRUPTS_ON, 1);
        // The lower word: alarms compare nothing else.
        write(ALARM_0, (now + left.min(LONGEST)) as u32);
        listen(Interrupt::Timer);
        listen(Interrupt::Usb);
        cortex_m::asm::wfe();
    }
}

/// Lets an interrupt come, once.
fn listen(interrupt: Interrupt) {
    #[allow(unsafe_code, reason = "from now on it may come at any time")]
    // SAFETY: the handler shares nothing with the rest but an atomic.
    unsafe {
        NVIC::unmask(interrupt);
    }
}

/// To be called by the handler of all interrupts, with the number that the processor gives it: an interrupt only wakes the
/// processor, and is not heard again before it is asked for. Below 0 it is a fault, and this says so.
pub fn woken(interrupt: i16) -> bool {
    let known = [Interrupt::Timer, Interrupt::Usb]
        .into_iter()
        .find(|known| *known as i16 == interrupt);
    let Some(known) = known else { return false };
    NVIC::mask(known);
    if known == Interrupt::Timer {
        write(PENDING, 1);
        FIRED.store(true, Ordering::Relaxed);
    }
    true
}
