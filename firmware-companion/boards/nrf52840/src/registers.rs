//! Registers of the nRF52840, by its product specification 1.7.

/// CLOCK: starts the crystal of 32 MHz, and tells that it runs.
pub(crate) const CRYSTAL_START: usize = 0x4000_0000;
pub(crate) const CRYSTAL_STOP: usize = 0x4000_0004;
pub(crate) const CRYSTAL_STARTED: usize = 0x4000_0100;
/// POWER: bit 0, there is a cable with power; bit 1, the USB regulator's output is stable.
pub(crate) const USB_SUPPLY: usize = 0x4000_0438;
/// POWER: a byte that survives a reset (GPREGRET).
pub(crate) const RETAINED: usize = 0x4000_051C;
/// ACL: of the last of its eight regions the address, the size, and what is forbidden there until the next reset. A region can be
/// set once; loaders that run before take the first ones (Nordic's four, Adafruit's two).
pub(crate) const ACL_ADDRESS: usize = 0x4001_E870;
pub(crate) const ACL_SIZE: usize = 0x4001_E874;
pub(crate) const ACL_PERMISSION: usize = 0x4001_E878;
/// USBD.
pub(crate) const USBD: usize = 0x4002_7000;
pub(crate) const USBD_ENABLE: usize = USBD + 0x500;
pub(crate) const USBD_PULL_UP: usize = USBD + 0x504;
/// GPIO, port 0: clears outputs, and makes outputs.
pub(crate) const PINS_CLEAR: usize = 0x5000_050C;
pub(crate) const PINS_OUTPUT: usize = 0x5000_0518;

bootlace_cortex_m::registers!();
