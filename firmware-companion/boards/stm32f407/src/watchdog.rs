//! The independent watchdog. A reset stops it, unless an option byte has it run from every reset on; nothing else does.

use bootlace_maps::stm32f407::{Patience, patience};

use crate::registers::{WATCHDOG, read, write};

/// The watchdog's key register, and the word that feeds it: flash feeds the watchdog as well, while nothing else can.
pub(crate) const KEY: usize = WATCHDOG;
pub(crate) const FEED: u32 = 0xAAAA;

const PRESCALER: usize = WATCHDOG + 0x04;
const RELOAD: usize = WATCHDOG + 0x08;
const STATUS: usize = WATCHDOG + 0x0C;

/// The watchdog.
#[derive(Debug)]
pub struct Watchdog;

impl Watchdog {
    /// Starts it: `millis`, at most 32768, without a feed reset the chip, on a chip whose oscillator is fast after two thirds of
    /// that. Nothing stops it but a reset.
    pub fn start(millis: u32) -> Self {
        const START: u32 = 0xCCCC;
        const UNLOCK: u32 = 0x5555;
        let Patience { prescaler, reload } = patience(millis);
        write(KEY, START);
        write(KEY, UNLOCK);
        write(PRESCALER, prescaler);
        write(RELOAD, reload);
        // Both take five cycles of an oscillator of 32 kHz; what was set before, half a second, is longer.
        const LOOKS: u32 = 100_000;
        let _taken = (0..LOOKS).any(|_| read(STATUS) == 0);
        write(KEY, FEED);
        Watchdog
    }

    /// The one that may run. Feeding one that does not run does nothing.
    pub fn that_may_run() -> Self {
        Watchdog
    }
}

impl bootlace_cortex_m::Watchdog for Watchdog {
    fn feed(&mut self) {
        write(KEY, FEED);
    }
}
