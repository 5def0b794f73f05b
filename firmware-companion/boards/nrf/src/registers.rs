//! Registers that stand at the same place in the nRF51822 (reference manual 3.0) and the nRF52840 (product specification 1.7).

/// FICR: the chip's own number, two words.
pub(crate) const DEVICE_ID: usize = 0x1000_0060;
/// POWER: why the chip started, one bit each; written bits are cleared.
pub(crate) const RESET_REASON: usize = 0x4000_0400;
/// GPIO, port 0: levels of all pins, and configuration of pin 0; the others follow. Port 1 has the same, so far behind.
pub(crate) const PINS: usize = 0x5000_0510;
pub(crate) const PIN_CONFIG: usize = 0x5000_0700;
pub(crate) const PORT: usize = 0x300;

bootlace_cortex_m::registers!();
