//! nRF52840: 1 MB of flash in pages of 4 KB, words of 4 bytes. Alone on the chip, or behind what the board's maker put there: a
//! bootloader at the end of flash, started by Nordic's master boot record (MBR) in the first page, and on some boards a
//! SoftDevice behind the MBR.

use core::ops::Range;

use bootlace_core::chip::{Chip, Map, Region};

/// Bytes of flash.
pub const SIZE: u32 = 1 << 20;
/// Bytes that are erased at once.
pub const PAGE: u32 = 4096;
/// Pages of the bootloader, and of its records behind it.
const BOOTLOADER: u32 = 14;
const RECORDS: u32 = 2;

/// Bootloader, records, a primary slot of so many pages, and a secondary one with the page more that swaps need, from page
/// `first` on.
const fn map(first: u32, primary: u32) -> Map {
    let slots = first + BOOTLOADER + RECORDS;
    Map {
        state: Region::units(PAGE, first + BOOTLOADER, RECORDS),
        primary: Region::units(PAGE, slots, primary),
        secondary: Region::units(PAGE, slots + primary, primary + 1),
        golden: None,
    }
}

/// Where the bootloader ends, and its records begin; its last 256 bytes are its identity block.
pub const fn bootloader_end(map: &Map) -> u32 {
    map.state.offset
}

/// What is locked before an application starts: bootloader and records, which an application only reads, and all before them.
pub const fn locked(map: &Map) -> Range<u32> {
    0..map.state.offset + map.state.size
}

/// The companion alone on the chip. Both slots hold 118 pages, 472 KB; the last page is the application's own.
#[derive(Clone, Copy, Debug)]
pub struct Nrf52840;

impl Chip for Nrf52840 {
    const BASE: u32 = 0;
    const MAP: Map = map(0, 119);
}

/// Behind Nordic's MBR and in front of Nordic's bootloader, as on the nRF52840 dongle (nRF5 SDK 17.0.2,
/// `examples/dfu/open_bootloader/pca10059_usb`). Both slots hold 100 pages, 400 KB. The four pages behind them are the
/// application's own; the loader leaves the last three of them to applications (`NRF_DFU_APP_DATA_AREA_SIZE`).
#[derive(Clone, Copy, Debug)]
pub struct Dongle;

/// What the MBR starts where there is no SoftDevice (`MBR_SIZE`).
pub const BEHIND_MBR: u32 = 0x1000;
/// Where the dongle's own bootloader begins (`open_bootloader_gcc_nrf52.ld`).
pub const NORDICS_BOOTLOADER: u32 = 0xE_0000;

impl Chip for Dongle {
    const BASE: u32 = 0;
    const MAP: Map = map(BEHIND_MBR / PAGE, 101);
}

/// Behind a SoftDevice S140 and in front of Adafruit's bootloader, which shows a drive that takes UF2. Both slots hold 83 pages,
/// 332 KB.
///
/// That loader starts what begins where its SoftDevice ends: with version 7 the bootloader itself; with version 6, a page
/// before it, a copy of its vector table.
#[derive(Clone, Copy, Debug)]
pub struct Uf2;

/// Where a SoftDevice S140 ends, by its major version: `SD_SIZE_GET` of version 6.1.1 and of 7.0.1 to 7.3.0.
pub const BEHIND_SOFTDEVICE_6: u32 = 0x2_6000;
/// The same of version 7.
pub const BEHIND_SOFTDEVICE_7: u32 = 0x2_7000;
/// Where the loader puts a new one of itself before it copies it to its place (`BOOTLOADER_ADDR_NEW_RECEIVED` in Adafruit's
/// `uf2cfg.h`, with the 40 KB in front of it that it leaves to applications): the slots end there. The application's own is from
/// 0xEA000 to 0xF4000 (`DFU_APP_DATA_RESERVED`).
pub const ADAFRUITS_NEW_BOOTLOADER: u32 = 0xE_0000;

impl Chip for Uf2 {
    const BASE: u32 = 0;
    const MAP: Map = map(BEHIND_SOFTDEVICE_7 / PAGE, 84);
}

/// Where programs behind a maker's loader leave word for each other: RAM that neither that loader's data, which begin at the start
/// of RAM or at 0x20008000, nor its stack at the end of RAM, 8 KB at most, reach, and that is not the MBR's either, which keeps an
/// address in the first 8 bytes of RAM.
pub const LEFT_BEHIND_LOADER: u32 = 0x2003_7FF0;

/// Whether the register GPREGRET, which survives a reset, asks for the bootloader: applications written for the bootloaders of
/// Adafruit (0x57 for its drive, 0x4E for its serial port) and of Nordic (0xB1) ask that way. Behind Adafruit's loader none of
/// them is seen: that loader runs first, and takes them.
pub const fn asks_for_bootloader(gpregret: u8) -> bool {
    matches!(gpregret, 0x57 | 0x4E | 0xB1)
}
