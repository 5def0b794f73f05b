//! The chip's watchdog, and the reset of the whole chip, which is its work as well.

use bootlace_cortex_m::retained::{self, Left};
use bootlace_smp::bootlace::Reset;

use crate::registers::{CHIP_RESET, read, set, write};

const CONTROL: usize = 0x4005_8000;
const LOAD: usize = 0x4005_8004;
const REASON: usize = 0x4005_8008;
/// The fifth of the words that survive: the chip's own start-up code looks for an entry address from here on.
const SCRATCH_4: usize = 0x4005_801C;
/// PSM: what a reset by the watchdog takes along.
const RESET_BY_WATCHDOG: usize = 0x4001_0008;

const ENABLED: u32 = 1 << 30;
const TRIGGER: u32 = 1 << 31;
/// The largest count; it counts down by two a microsecond (errata, RP2040-E1).
const LONGEST: u32 = 0x00FF_FFFF;
const COUNTS_PER_MILLI: u32 = 2000;

/// The watchdog.
#[derive(Debug)]
pub struct Watchdog {
    count: u32,
}

impl Watchdog {
    /// Starts it: `millis`, at most 8388, without a feed reset the chip.
    pub fn start(millis: u32) -> Self {
        let mut watchdog = Watchdog {
            count: millis.saturating_mul(COUNTS_PER_MILLI).min(LONGEST),
        };
        prepare();
        bootlace_cortex_m::Watchdog::feed(&mut watchdog);
        set(CONTROL, ENABLED);
        watchdog
    }

    /// The one that somebody may have started. Feeding one that does not run does nothing.
    pub fn that_may_run() -> Self {
        Watchdog { count: LONGEST }
    }
}

impl bootlace_cortex_m::Watchdog for Watchdog {
    fn feed(&mut self) {
        write(LOAD, self.count);
    }
}

/// A reset by the watchdog is one of everything but the oscillators, and starts from flash.
fn prepare() {
    const ALL_BUT_OSCILLATORS: u32 = 0x0001_FFFC;
    write(RESET_BY_WATCHDOG, ALL_BUT_OSCILLATORS);
    write(SCRATCH_4, 0);
}

/// Resets the chip, leaving word for the bootloader. The processor's own reset would leave other blocks as they are.
pub fn reset(left: Left) -> ! {
    retained::leave(left);
    prepare();
    set(CONTROL, TRIGGER);
    loop {
        cortex_m::asm::nop();
    }
}

/// Why the chip last started.
pub fn reset_reason() -> Reset {
    const BY_TIME: u32 = 1;
    const BY_TRIGGER: u32 = 2;
    const BY_PIN: u32 = 1 << 16;
    match read(REASON) {
        reason if reason & BY_TIME != 0 => Reset::Watchdog,
        reason if reason & BY_TRIGGER != 0 => Reset::Software,
        // This one is from the last reset of the chip as a whole, and remains.
        _ if read(CHIP_RESET) & BY_PIN != 0 => Reset::Pin,
        _ => Reset::PowerOn,
    }
}
