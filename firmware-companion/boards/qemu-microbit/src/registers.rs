//! Registers of the nRF51822, by the reference manual 3.0.
#![allow(unsafe_code, reason = "registers are memory at fixed addresses")]

/// FICR: the chip's own number, two words.
pub(crate) const DEVICE_ID: usize = 0x1000_0060;
/// POWER: why it started, one bit each; written bits are cleared.
pub(crate) const RESET_REASON: usize = 0x4000_0400;
/// MPU: blocks of 4 KB of flash that are locked until the next reset, one bit each for the first 32 (PROTENSET0).
pub(crate) const PROTECT: usize = 0x4000_0600;
/// GPIO: levels of all pins.
pub(crate) const PINS: usize = 0x5000_0510;
/// GPIO: configuration of pin 0; the others follow.
pub(crate) const PIN_CONFIG: usize = 0x5000_0700;

pub(crate) fn read(register: usize) -> u32 {
    // SAFETY: every address that this crate names is a word register that may be read at any time.
    unsafe { (register as *const u32).read_volatile() }
}

pub(crate) fn write(register: usize, value: u32) {
    // SAFETY: every address that this crate names is a word register, or a word of flash while its controller lets
    // it be written; none of them is memory of this program.
    unsafe { (register as *mut u32).write_volatile(value) }
}
