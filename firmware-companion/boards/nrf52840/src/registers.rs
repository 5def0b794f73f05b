//! Registers of the nRF52840, by its product specification 1.7.
#![allow(unsafe_code, reason = "registers are memory at fixed addresses")]

/// FICR: the chip's own number, two words.
pub(crate) const DEVICE_ID: usize = 0x1000_0060;
/// CLOCK: starts the crystal of 32 MHz, and tells that it runs.
pub(crate) const CRYSTAL_START: usize = 0x4000_0000;
pub(crate) const CRYSTAL_STOP: usize = 0x4000_0004;
pub(crate) const CRYSTAL_STARTED: usize = 0x4000_0100;
/// POWER: why the chip started, one bit each; written bits are cleared.
pub(crate) const RESET_REASON: usize = 0x4000_0400;
/// POWER: bit 0, there is a cable with power; bit 1, the USB regulator's output is stable.
pub(crate) const USB_SUPPLY: usize = 0x4000_0438;
/// POWER: a byte that survives a reset (GPREGRET).
pub(crate) const RETAINED: usize = 0x4000_051C;
/// WDT: channels that an application may feed, the first of eight.
pub(crate) const WATCHDOG_FEED: usize = 0x4001_0600;
/// ACL: of the first region its address, its size, and what is forbidden there until the next reset.
pub(crate) const ACL_ADDRESS: usize = 0x4001_E800;
pub(crate) const ACL_SIZE: usize = 0x4001_E804;
pub(crate) const ACL_PERMISSION: usize = 0x4001_E808;
/// USBD.
pub(crate) const USBD: usize = 0x4002_7000;
pub(crate) const USBD_ENABLE: usize = USBD + 0x500;
pub(crate) const USBD_PULL_UP: usize = USBD + 0x504;
/// GPIO, port 0: sets and clears outputs, levels of all pins, makes outputs, configuration of pin 0; the others follow.
pub(crate) const PINS_CLEAR: usize = 0x5000_050C;
pub(crate) const PINS: usize = 0x5000_0510;
pub(crate) const PINS_OUTPUT: usize = 0x5000_0518;
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
