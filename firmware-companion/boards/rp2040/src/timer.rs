//! The timer, as a clock and to sleep by.

use core::sync::atomic::{AtomicBool, Ordering};

use bootlace_cortex_m::Millis;
use cortex_m::peripheral::NVIC;

use crate::interrupt::Interrupt;
use crate::registers::{read, set, write};

const ALARM_0: usize = 0x4005_4010;
/// The lower word of the time in microseconds, as it is now.
const RAW_LOW: usize = 0x4005_4028;
const PENDING: usize = 0x4005_4034;
const INTERRUPTS_ON: usize = 0x4005_4038;

/// The timer's interrupt came since [`Clock::nap`] began.
static FIRED: AtomicBool = AtomicBool::new(false);

/// The timer as a clock.
#[derive(Debug, Default)]
pub struct Clock(Millis);

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
        self.0.at(read(RAW_LOW))
    }

    /// Sleeps until USB has something, or that time. An interrupt that comes before the processor sleeps has left an event
    /// for it, so that it does not fall asleep.
    fn rest(&mut self, until: Option<u64>) {
        // At most, in milliseconds: an alarm has but 32 bits, and nothing is lost by looking.
        const LONGEST: u64 = 1000;
        let now = self.now();
        let left = until.map_or(LONGEST, |until| until.saturating_sub(now).min(LONGEST)) as u32;
        if left == 0 {
            return;
        }
        set(INTERRUPTS_ON, 1);
        // Alarms compare the lower word alone, and fire when it becomes equal: one that is set too late fires in 71 minutes.
        let alarm = self.0.later(left);
        write(ALARM_0, alarm);
        if (alarm.wrapping_sub(read(RAW_LOW)) as i32) <= 0 {
            return;
        }
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
