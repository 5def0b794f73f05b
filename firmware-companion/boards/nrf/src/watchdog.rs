//! The watchdog. Neither a reset by software nor a bootloader stops one that an application has started. (QEMU does not emulate
//! it: there it never bites.)

use crate::registers::write;

const START: usize = 0x4001_0000;
const COUNT: usize = 0x4001_0504;
/// Channels that must be fed, one bit each; after a reset the first alone.
const ENABLE: usize = 0x4001_0508;
/// The first channel; the others follow.
const FEED: usize = 0x4001_0600;

/// Channels that an application may have chosen to feed; one that it did not choose is not waited for.
const CHANNELS: usize = 8;

/// The watchdog.
#[derive(Debug)]
pub struct Watchdog;

impl Watchdog {
    /// Starts it: `seconds` without [`Watchdog::feed`](bootlace_cortex_m::Watchdog::feed) reset the chip. Nothing stops it but
    /// a reset.
    pub fn start(seconds: u32) -> Self {
        write(COUNT, seconds * 32_768);
        write(ENABLE, 1);
        write(START, 1);
        Watchdog
    }

    /// The one that an application may have started. Feeding one that does not run does nothing.
    pub fn that_may_run() -> Self {
        Watchdog
    }
}

impl bootlace_cortex_m::Watchdog for Watchdog {
    fn feed(&mut self) {
        const WORD: u32 = 0x6E52_4635;
        (0..CHANNELS).for_each(|channel| write(FEED + 4 * channel, WORD));
    }
}
