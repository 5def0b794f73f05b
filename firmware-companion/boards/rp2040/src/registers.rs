//! Registers of the RP2040, by its datasheet.

/// Added to the address of a register of most blocks: a write there sets the bits that are written (2.1.2).
const SET: usize = 0x2000;
/// The same, to clear them.
const CLEAR: usize = 0x3000;

/// RESETS: blocks that are held in reset, one bit each, and those that are out of it.
pub(crate) const RESET: usize = 0x4000_C000;
pub(crate) const RESET_DONE: usize = 0x4000_C008;
/// Bits of [`RESET`].
pub(crate) mod block {
    pub(crate) const IO_BANK0: u32 = 1 << 5;
    pub(crate) const IO_QSPI: u32 = 1 << 6;
    pub(crate) const PADS_BANK0: u32 = 1 << 8;
    pub(crate) const PADS_QSPI: u32 = 1 << 9;
    pub(crate) const PLL_SYS: u32 = 1 << 12;
    pub(crate) const PLL_USB: u32 = 1 << 13;
    pub(crate) const TIMER: u32 = 1 << 21;
    pub(crate) const USB: u32 = 1 << 24;
    pub(crate) const ALL: u32 = 0x01FF_FFFF;
}

/// VREG_AND_CHIP_RESET: why the chip as a whole started.
pub(crate) const CHIP_RESET: usize = 0x4006_4008;
/// IO_BANK0: control of pin 0; the others follow every 8 bytes.
pub(crate) const PIN_CONTROL: usize = 0x4001_4004;
/// PADS_BANK0: the pad of pin 0; the others follow.
pub(crate) const PAD: usize = 0x4001_C004;
/// SIO: levels of all pins; which of them are high as outputs, and which are outputs, both by setting bits.
pub(crate) const PINS: usize = 0xD000_0004;
pub(crate) const PINS_SET: usize = 0xD000_0014;
pub(crate) const PINS_OUTPUT: usize = 0xD000_0024;

bootlace_cortex_m::registers!();

/// Sets bits of a register in one access.
pub(crate) fn set(register: usize, bits: u32) {
    write(register + SET, bits);
}

/// Clears bits of a register in one access.
pub(crate) fn clear(register: usize, bits: u32) {
    write(register + CLEAR, bits);
}

/// Waits until all of these bits are set.
pub(crate) fn wait_for(register: usize, bits: u32) {
    while read(register) & bits != bits {}
}

/// Takes blocks of the chip through a reset: whatever was done with them is undone.
pub(crate) fn restart(blocks: u32) {
    set(RESET, blocks);
    clear(RESET, blocks);
    wait_for(RESET_DONE, blocks);
}
