//! nRF52840: 1 MB of flash in pages of 4 KB, words of 4 bytes.

use core::ops::Range;

use bootlace_core::chip::{Chip, Map, Region};

/// Bytes of flash.
pub const SIZE: u32 = 1 << 20;
/// Bytes that are erased at once.
pub const PAGE: u32 = 4096;
/// Pages of the bootloader, and those before the slots: behind the bootloader lie its records.
const BOOTLOADER: u32 = 14;
const SLOTS: u32 = BOOTLOADER + 2;
/// Pages of the slots. The secondary has the one more that swaps need; what both can hold is then 118 pages, 472 KB.
const PRIMARY: u32 = 119;
const SECONDARY: u32 = 120;

/// The bootloader's own bytes; the last 256 are its identity block.
pub const BOOTLOADER_END: u32 = BOOTLOADER * PAGE;
/// What is locked before an application starts: the bootloader and its records, which an application only reads.
pub const LOCKED: Range<u32> = 0..SLOTS * PAGE;

/// Where everything lies.
#[derive(Clone, Copy, Debug)]
pub struct Nrf52840;

impl Chip for Nrf52840 {
    const BASE: u32 = 0;
    /// Bootloader, state, primary slot, secondary slot; the last page is the application's own.
    const MAP: Map = Map {
        state: Region::units(PAGE, BOOTLOADER, 2),
        primary: Region::units(PAGE, SLOTS, PRIMARY),
        secondary: Region::units(PAGE, SLOTS + PRIMARY, SECONDARY),
        golden: None,
    };
}

/// Whether the register GPREGRET, which survives a reset, asks for the bootloader: applications written for the bootloaders of
/// Adafruit (0x57 for its drive, 0x4E for its serial port) and of Nordic (0xB1) ask that way.
pub const fn asks_for_bootloader(gpregret: u8) -> bool {
    matches!(gpregret, 0x57 | 0x4E | 0xB1)
}
