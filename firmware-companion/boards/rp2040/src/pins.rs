//! Two pins: one asks for the bootloader, one shows that it runs.

use crate::registers::{PAD, PIN_CONTROL, PINS, PINS_OUTPUT, PINS_SET, block, read, restart, write};

/// GP22, to ground: beside a ground on the Pico's edge, and seldom used.
const BOOTLOADER: usize = 22;
/// The Pico's LED.
const LED: usize = 25;
/// Function of a pin: the processor's own.
const BY_PROCESSOR: u32 = 5;

/// Whether GP22 is connected to ground.
pub fn is_bootloader_pin_low() -> bool {
    const INPUT: u32 = 1 << 6;
    const PULL_UP: u32 = 1 << 3;
    restart(block::IO_BANK0 | block::PADS_BANK0);
    write(PAD + 4 * BOOTLOADER, INPUT | PULL_UP);
    write(PIN_CONTROL + 8 * BOOTLOADER, BY_PROCESSOR);
    // The pull-up takes some microseconds on a long wire; the clock is not yet known.
    const CYCLES: u32 = 2000;
    cortex_m::asm::delay(CYCLES);
    read(PINS) & 1 << BOOTLOADER == 0
}

/// Lights the LED: the bootloader stays and waits for an update.
pub fn show_bootloader() {
    write(PIN_CONTROL + 8 * LED, BY_PROCESSOR);
    write(PINS_SET, 1 << LED);
    write(PINS_OUTPUT, 1 << LED);
}
