//! Registers of the nRF51822, by the reference manual 3.0.

/// MPU: blocks of 4 KB of flash that are locked until the next reset, one bit each for the first 32 (PROTENSET0).
pub(crate) const PROTECT: usize = 0x4000_0600;
/// GPIO: configuration of pin 0; the others follow.
pub(crate) const PIN_CONFIG: usize = 0x5000_0700;

bootlace_cortex_m::registers!();
