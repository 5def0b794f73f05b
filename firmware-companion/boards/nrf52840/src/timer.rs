//! TIMER0 as a clock.

use crate::registers::{read, write};

const TIMER: usize = 0x4000_8000;
const STOP: usize = TIMER + 0x004;
const CAPTURE_1: usize = TIMER + 0x044;
const BIT_MODE: usize = TIMER + 0x508;
const PRESCALER: usize = TIMER + 0x510;
const CAPTURED_1: usize = TIMER + 0x544;

/// The timer as a clock, from [`Clock::start`] on; a processor that waits for USB polls, and does not sleep.
#[derive(Debug, Default)]
pub struct Clock {
    /// The timer when the clock was last read, less the microseconds that did not make a millisecond.
    last: u32,
    millis: u64,
}

impl Clock {
    /// Has the timer count microseconds.
    pub fn start() {
        // 16 MHz by 2^4.
        write(PRESCALER, 4);
        const BITS_32: u32 = 3;
        write(BIT_MODE, BITS_32);
        write(TIMER, 1);
    }

    /// Leaves the timer standing, as after a reset.
    pub fn stop() {
        write(STOP, 1);
    }
}

impl bootlace_cortex_m::Clock for Clock {
    fn now(&mut self) -> u64 {
        const MICROS_PER_MILLI: u32 = 1000;
        write(CAPTURE_1, 1);
        let millis = read(CAPTURED_1).wrapping_sub(self.last) / MICROS_PER_MILLI;
        self.last = self.last.wrapping_add(millis * MICROS_PER_MILLI);
        self.millis += u64::from(millis);
        self.millis
    }
}
