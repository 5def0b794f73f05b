//! Clocks: the crystal of 12 MHz, 125 MHz for the processor and 48 MHz for USB, which is what most software for this chip
//! assumes. The chip starts from an oscillator of its own of about 6 MHz, on which a signature would take ten seconds.

use crate::registers::{RESET, block, read, restart, set, wait_for, write};

const REFERENCE_CONTROL: usize = 0x4000_8030;
const REFERENCE_SELECTED: usize = 0x4000_8038;
const SYSTEM_CONTROL: usize = 0x4000_803C;
const SYSTEM_SELECTED: usize = 0x4000_8044;
const USB_CONTROL: usize = 0x4000_8054;

/// Values of [`REFERENCE_CONTROL`].
const FROM_RING: u32 = 0;
const FROM_CRYSTAL: u32 = 2;
/// Values of [`SYSTEM_CONTROL`]; from the PLL, the first of what may be chosen there.
const FROM_REFERENCE: u32 = 0;
const FROM_PLL: u32 = 1;

const CRYSTAL_CONTROL: usize = 0x4002_4000;
const CRYSTAL_STATUS: usize = 0x4002_4004;
const CRYSTAL_STARTUP: usize = 0x4002_400C;

const PLL_SYSTEM: usize = 0x4002_8000;
const PLL_USB: usize = 0x4002_C000;

const WATCHDOG_TICK: usize = 0x4005_802C;

/// MHz of the crystal.
const CRYSTAL: u32 = 12;

/// Selects a source and waits until it is in use. (`SELECTED` has a bit for each source.)
fn select(control: usize, selected: usize, source: u32) {
    write(control, source);
    wait_for(selected, 1 << source);
}

/// Starts a PLL: the crystal by `feedback`, divided twice.
fn start_pll(pll: usize, feedback: u32, first: u32, second: u32) {
    const LOCKED: u32 = 1 << 31;
    // Switched off are then only what fractions need; and what divides the output, until it is stable.
    const POWER: usize = 0x4;
    const FRACTIONS_OFF: u32 = 1 << 2;
    const DIVIDERS_OFF: u32 = 1 << 3;
    // One by one: the feedback is set before the oscillator gets power.
    write(pll, 1);
    write(pll + 0x8, feedback);
    write(pll + POWER, FRACTIONS_OFF | DIVIDERS_OFF);
    wait_for(pll, LOCKED);
    write(pll + 0xC, first << 16 | second << 12);
    write(pll + POWER, FRACTIONS_OFF);
}

/// Starts all clocks, whatever runs: also after a reset that leaves some of them on.
pub fn start() {
    // Cycles of a millisecond, by 256: how long the crystal may need.
    const STARTUP: u32 = (CRYSTAL * 1000).div_ceil(256);
    const ENABLE: u32 = 0xFAB << 12;
    const RANGE_1_TO_15_MHZ: u32 = 0xAA0;
    const STABLE: u32 = 1 << 31;
    write(CRYSTAL_STARTUP, STARTUP);
    write(CRYSTAL_CONTROL, ENABLE | RANGE_1_TO_15_MHZ);
    wait_for(CRYSTAL_STATUS, STABLE);
    select(SYSTEM_CONTROL, SYSTEM_SELECTED, FROM_REFERENCE);
    select(REFERENCE_CONTROL, REFERENCE_SELECTED, FROM_CRYSTAL);
    restart(block::PLL_SYS | block::PLL_USB | block::TIMER);
    // 12 MHz by 125 is 1500 MHz; by 6 and by 2 is 125 MHz.
    start_pll(PLL_SYSTEM, 125, 6, 2);
    // 12 MHz by 100 is 1200 MHz; by 5 and by 5 is 48 MHz.
    start_pll(PLL_USB, 100, 5, 5);
    select(SYSTEM_CONTROL, SYSTEM_SELECTED, FROM_PLL);
    // From the PLL for USB.
    const USB_ENABLED: u32 = 1 << 11;
    write(USB_CONTROL, USB_ENABLED);
    // Timer and watchdog count microseconds.
    const TICK_ENABLED: u32 = 1 << 9;
    write(WATCHDOG_TICK, TICK_ENABLED | CRYSTAL);
}

/// Leaves everything as the chip's own start-up code leaves it, for an application: clocks from the chip's oscillator,
/// all blocks but the flash's in reset.
pub fn stop() {
    write(USB_CONTROL, 0);
    select(SYSTEM_CONTROL, SYSTEM_SELECTED, FROM_REFERENCE);
    select(REFERENCE_CONTROL, REFERENCE_SELECTED, FROM_RING);
    // What is in reset already stays there.
    set(RESET, block::ALL & !(block::IO_QSPI | block::PADS_QSPI));
    // A write is buffered; a read is not done before it.
    read(RESET);
}
