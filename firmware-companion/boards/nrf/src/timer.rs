//! A timer: a clock, or interrupts at a steady pace. (An nRF51 has no SysTick.)

use bootlace_cortex_m::Millis;

use crate::registers::{read, write};

const TIMER: usize = 0x4000_8000;
const START: usize = TIMER;
const STOP: usize = TIMER + 0x004;
const CAPTURE_1: usize = TIMER + 0x044;
const COMPARED: usize = TIMER + 0x140;
const SHORTCUTS: usize = TIMER + 0x200;
const INTERRUPTS_ON: usize = TIMER + 0x304;
const BIT_MODE: usize = TIMER + 0x508;
const PRESCALER: usize = TIMER + 0x510;
const COMPARE: usize = TIMER + 0x540;
const CAPTURED_1: usize = TIMER + 0x544;

/// The timer as a clock, from [`Timer::run`] on; before, it stands still.
#[derive(Debug, Default)]
pub struct Clock(Millis);

impl bootlace_cortex_m::Clock for Clock {
    fn now(&mut self) -> u64 {
        self.0.at(Timer::now())
    }
}

/// TIMER0.
#[derive(Debug)]
pub struct Timer;

impl Timer {
    /// Milliseconds from one interrupt to the next.
    pub const PERIOD: u32 = 10;

    /// Has it count microseconds.
    pub fn run() {
        // 16 MHz by 2^4.
        write(PRESCALER, 4);
        const BITS_32: u32 = 3;
        write(BIT_MODE, BITS_32);
        write(START, 1);
    }

    /// Leaves it standing, as after a reset.
    pub fn stop() {
        write(STOP, 1);
    }

    /// Microseconds since some time; they begin again after an hour.
    pub fn now() -> u32 {
        write(CAPTURE_1, 1);
        read(CAPTURED_1)
    }

    /// Has the interrupt of TIMER0 pending every [`Timer::PERIOD`].
    pub fn interrupt() {
        write(COMPARE, Self::PERIOD * 1000);
        const CLEAR_ON_COMPARE: u32 = 1;
        write(SHORTCUTS, CLEAR_ON_COMPARE);
        const ON_COMPARE: u32 = 1 << 16;
        write(INTERRUPTS_ON, ON_COMPARE);
        Self::run();
    }

    /// To be called in the interrupt's handler.
    pub fn acknowledge() {
        write(COMPARED, 0);
    }
}
