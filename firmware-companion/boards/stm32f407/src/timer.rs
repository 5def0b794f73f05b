//! A timer of 32 bits (TIM2) as a clock. It counts on while the processor stands still.

use bootlace_cortex_m::Millis;

use crate::clocks::timer_mhz;
use crate::registers::{TIMER, read, write};

const CONTROL: usize = TIMER;
const EVENTS: usize = TIMER + 0x14;
const COUNT: usize = TIMER + 0x24;
const PRESCALER: usize = TIMER + 0x28;

/// The timer as a clock.
#[derive(Debug)]
pub struct Clock(Millis);

impl Clock {
    /// Has the timer count microseconds; the clocks are to be set up before.
    pub fn start() -> Self {
        write(PRESCALER, timer_mhz() - 1);
        // The prescaler counts from the next update on: this one.
        const UPDATE: u32 = 1;
        write(EVENTS, UPDATE);
        const ENABLED: u32 = 1;
        write(CONTROL, ENABLED);
        Clock(Millis::default())
    }
}

impl bootlace_cortex_m::Clock for Clock {
    fn now(&mut self) -> u64 {
        self.0.at(read(COUNT))
    }
}
