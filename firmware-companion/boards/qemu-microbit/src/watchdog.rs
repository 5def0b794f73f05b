//! The chip's watchdog. QEMU does not emulate it: there it never bites.

use crate::registers::write;

const START: usize = 0x4001_0000;
const COUNT: usize = 0x4001_0504;
const ENABLE: usize = 0x4001_0508;
const RELOAD: usize = 0x4001_0600;

/// The watchdog, running: nothing stops it but a reset.
#[derive(Debug)]
pub struct Watchdog;

impl Watchdog {
    /// Starts it: `seconds` without [`Watchdog::feed`] reset the chip.
    pub fn start(seconds: u32) -> Self {
        write(COUNT, seconds * 32_768);
        write(ENABLE, 1);
        write(START, 1);
        Watchdog
    }

    /// The one that an application may have started: a reset does not stop it. Feeding one that does not run does nothing.
    pub fn that_may_run() -> Self {
        Watchdog
    }
}

impl bootlace_cortex_m::Watchdog for Watchdog {
    fn feed(&mut self) {
        const WORD: u32 = 0x6E52_4635;
        write(RELOAD, WORD);
    }
}
