//! STM32F407 with 1 MB of flash in sectors of three sizes, words of 4 bytes: what its registers are set to, and what they say, by
//! reference manual RM0090.

use core::ops::Range;

use bootlace_core::chip::{Chip, Map, Region};
use bootlace_smp::bootlace::Reset;

/// Where the processor sees flash.
pub const BASE: u32 = 0x0800_0000;
/// Bytes of flash.
pub const SIZE: u32 = 1 << 20;
/// Bytes of the sectors: four small ones, one of four times that, and large ones.
pub const SMALL: u32 = 16 * 1024;
const LARGE: u32 = 128 * 1024;
const SMALL_SECTORS: u32 = 4;
/// Sectors of the chip, and which of them are what. The bootloader's first holds its vector table alone, because its records are to
/// have small sectors as well; its code follows the records.
const SECTORS: u32 = 12;
const RECORDS: Range<u32> = 1..3;
const CODE: u32 = RECORDS.end;
const PRIMARY: u32 = 5;
const SECONDARY: u32 = 8;

/// Where the bootloader's code begins, behind its records.
pub const CODE_START: u32 = sector_start(CODE);
/// Where the bootloader ends; its last 256 bytes are its identity block.
pub const BOOTLOADER_END: u32 = sector_start(PRIMARY);
/// Sectors that the factory may protect against writing (option bytes nWRP), one bit each: the bootloader's.
pub const PROTECTED: u32 = 1 << 0 | 1 << 3 | 1 << 4;

/// Where everything lies.
#[derive(Clone, Copy, Debug)]
pub struct Stm32f407;

impl Chip for Stm32f407 {
    const BASE: u32 = BASE;
    /// Vector table, state, the bootloader's code, primary slot, secondary slot. Both slots are whole sectors, of which the
    /// secondary has the one more that swaps need; what both can hold is then 2 sectors, 256 KB.
    const MAP: Map = Map {
        state: Region::units(SMALL, RECORDS.start, RECORDS.end - RECORDS.start),
        primary: Region {
            offset: sector_start(PRIMARY),
            size: sector_start(SECONDARY) - sector_start(PRIMARY),
            erase: LARGE,
        },
        secondary: Region {
            offset: sector_start(SECONDARY),
            size: SIZE - sector_start(SECONDARY),
            erase: LARGE,
        },
        golden: None,
    };
}

/// Offset of a sector's first byte; that of the sector behind the last one is [`SIZE`].
const fn sector_start(sector: u32) -> u32 {
    if sector <= SMALL_SECTORS {
        sector * SMALL
    } else {
        // The small ones and the one behind them take as much as one large sector.
        (sector - SMALL_SECTORS) * LARGE
    }
}

/// The sectors that lie from `from` to `to`, both offsets in bytes; `None` unless both are where a sector begins or the chip ends.
pub fn sectors(from: u32, to: u32) -> Option<Range<u32>> {
    let beginning_at = |offset| (0..=SECTORS).find(|&sector| sector_start(sector) == offset);
    Some(beginning_at(from)?..beginning_at(to)?)
}

/// Megahertz of the processor and of the bus that has the timers, both from a PLL that gives USB its 48 MHz as well.
pub const PROCESSOR_MHZ: u32 = 168;
/// The same of the timers: twice their bus, which runs at a quarter of the processor's speed.
pub const TIMER_MHZ: u32 = PROCESSOR_MHZ / 2;
/// Megahertz of the oscillator in the chip, which it starts with.
pub const INTERNAL_MHZ: u32 = 16;

/// RCC_PLLCFGR for an oscillator of so many whole megahertz, from 2 to 63: its megahertz divide it, so that the PLL gets 1 MHz, and
/// the PLL's 336 MHz are halved for the processor and divided by seven for USB.
pub const fn pll(oscillator_mhz: u32, is_crystal: bool) -> u32 {
    const MULTIPLIER: u32 = 2 * PROCESSOR_MHZ;
    const DIVIDER_OF_USB: u32 = MULTIPLIER / 48;
    // To be left as after a reset.
    const RESERVED: u32 = 1 << 29;
    oscillator_mhz | MULTIPLIER << 6 | (is_crystal as u32) << 22 | DIVIDER_OF_USB << 24 | RESERVED
}

/// Why the chip started, by RCC_CSR. Several bits may stand together, as every reset pulls the pin; the gravest is told.
pub const fn reset_reason(status: u32) -> Reset {
    const LOW_POWER: u32 = 1 << 31;
    const WATCHDOGS: u32 = 1 << 30 | 1 << 29;
    const SOFTWARE: u32 = 1 << 28;
    const POWER_ON: u32 = 1 << 27;
    const PIN: u32 = 1 << 26;
    const BROWNOUT: u32 = 1 << 25;
    match status {
        _ if status & WATCHDOGS != 0 => Reset::Watchdog,
        // An option byte makes a reset of going to sleep.
        _ if status & LOW_POWER != 0 => Reset::Fault,
        // Power-on sets the bit of a brownout as well.
        _ if status & POWER_ON != 0 => Reset::PowerOn,
        _ if status & BROWNOUT != 0 => Reset::Brownout,
        _ if status & SOFTWARE != 0 => Reset::Software,
        _ if status & PIN != 0 => Reset::Pin,
        _ => Reset::PowerOn,
    }
}

/// Prescaler and count of the independent watchdog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// IWDG_PR: the oscillator is divided by 4, 8, ... 256.
    pub prescaler: u32,
    /// IWDG_RLR.
    pub reload: u32,
}

/// What the independent watchdog is set to that is to wait so many milliseconds, at most 32 s. Its oscillator has 32 kHz, and on a
/// chip at the limit 17 or 47: the watchdog then waits twice as long, or two thirds.
pub const fn patience(millis: u32) -> Patience {
    const KILOHERTZ: u32 = 32;
    const LARGEST_PRESCALER: u32 = 6;
    const LONGEST: u32 = 4096;
    let mut prescaler = 0;
    // Not more than 32 bits hold.
    let ticks = if millis > 32_768 { 32_768 } else { millis } * KILOHERTZ;
    while prescaler < LARGEST_PRESCALER && ticks.div_ceil(4 << prescaler) > LONGEST {
        prescaler += 1;
    }
    let count = ticks.div_ceil(4 << prescaler);
    let count = if count > LONGEST { LONGEST } else { count };
    Patience {
        prescaler,
        reload: count.saturating_sub(1),
    }
}
