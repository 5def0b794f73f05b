//! Nothing overlaps, everything begins where a sector begins, locks cover what they are for, the core's layout takes the slots,
//! and linker scripts say the same.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::string::String;
use std::vec::Vec;
use std::{format, fs};

use bootlace_core::chip::{Chip, Driver, OneChip, Region};
use bootlace_core::flash::{Area, Flash as _};
use bootlace_core::layout::Layout;
use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};

use bootlace_smp::bootlace::Reset;

use crate::nrf52840::{self, Dongle, Nrf52840, Uf2};
use crate::stm32f407::{self, Patience, Stm32f407};

/// A chip that is only asked for its shape.
struct Words;

impl ErrorType for Words {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for Words {
    const READ_SIZE: usize = 1;

    fn read(&mut self, _: u32, _: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        Err(NorFlashErrorKind::Other)
    }

    fn capacity(&self) -> usize {
        0
    }
}

impl Driver for Words {}

impl NorFlash for Words {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 4096;

    fn erase(&mut self, _: u32, _: u32) -> Result<(), NorFlashErrorKind> {
        Err(NorFlashErrorKind::Other)
    }

    fn write(&mut self, _: u32, _: &[u8]) -> Result<(), NorFlashErrorKind> {
        Err(NorFlashErrorKind::Other)
    }
}

/// Bootloader, state and slots follow each other without overlapping, and end within the chip.
fn in_order<B: Chip>(bootloader_end: u32, size: u32) {
    let mut end = bootloader_end;
    for Region { offset, size, erase } in [B::MAP.state, B::MAP.primary, B::MAP.secondary] {
        assert!(offset >= end, "{offset:#x} lies before {end:#x}");
        assert_eq!(size % erase, 0);
        end = offset + size;
    }
    assert!(end <= size, "{end:#x}");
    assert_eq!(B::MAP.state.size, 2 * B::MAP.state.erase);
    // Records of at least 16 bytes, 24 of them in a unit.
    assert!(B::MAP.state.erase >= 24 * 16);
}

/// What the core makes of the slots: the largest image, in bytes.
fn largest<B: Chip>() -> u32 {
    let flash = OneChip::<Words, B>::new(Words);
    let layout = Layout::of(&flash);
    let largest = layout.max_image_size(&flash);
    let units = largest / layout.unit(&flash);
    assert!(units > 0);
    // A swap leaves no sector unused: the secondary slot holds the image, the spare unit and the trailer.
    let secondary = flash.geometry(Area::Secondary);
    assert_eq!(secondary.size / layout.unit(&flash), units + 2);
    largest
}

/// The map of an nRF52840 whose bootloader begins at `start`, and which may not reach beyond `end`.
fn an_nrf52840<B: Chip>(start: u32, end: u32, kb: u32) {
    let map = B::MAP;
    let bootloader_end = nrf52840::bootloader_end(&map);
    assert_eq!(bootloader_end, start + 56 * 1024);
    in_order::<B>(bootloader_end, end);
    assert_eq!(largest::<B>(), kb * 1024);
    for region in [map.state, map.primary, map.secondary] {
        assert_eq!(
            (region.erase, region.offset % nrf52840::PAGE),
            (nrf52840::PAGE, 0)
        );
    }
    // Bootloader and records are locked, and no slot.
    let locked = nrf52840::locked(&map);
    assert_eq!((locked.start, locked.end), (0, map.state.offset + map.state.size));
    assert!(bootloader_end <= locked.end && locked.end <= map.primary.offset);
    // ACL takes whole pages, 512 KB at most.
    assert!(locked.end.is_multiple_of(nrf52840::PAGE) && locked.end <= 512 * 1024);
    // A vector table behind the image's header of 1 KB: 64 entries, aligned to their size (Armv7-M, B3.2.5).
    assert!((map.primary.offset + 0x400).is_multiple_of(64 * 4) && start.is_multiple_of(64 * 4));
}

/// A first install puts everything where the board looks for it.
fn an_installation_knows_an_nrf52840<B: Chip>(name: &str, start: u32, end: u32) {
    let board = bootlace_install::boards::named(name).unwrap();
    let map = B::MAP;
    assert_eq!(
        (board.flash, board.begin()),
        (nrf52840::bootloader_end(&map) - 56 * 1024, start)
    );
    assert_eq!(board.flash + board.companion, map.state.offset + map.state.size);
    assert_eq!(board.primary, (map.primary.offset, largest::<B>()));
    let units: Vec<_> = board.units.iter().flat_map(|units| units.all()).collect();
    assert!(units.iter().all(|unit| unit.len == nrf52840::PAGE));
    let last = units.last().unwrap();
    assert_eq!((units[0].at, last.at + last.len), (start, end));
    assert!(map.secondary.offset + map.secondary.size <= end);
}

#[test]
fn an_installation_knows_the_places_of_nrf52840s() {
    an_installation_knows_an_nrf52840::<Dongle>(
        "nrf52840-dongle",
        nrf52840::BEHIND_MBR,
        nrf52840::NORDICS_BOOTLOADER,
    );
    let end = nrf52840::ADAFRUITS_NEW_BOOTLOADER;
    an_installation_knows_an_nrf52840::<Uf2>("nrf52840-uf2", nrf52840::BEHIND_SOFTDEVICE_7, end);
    an_installation_knows_an_nrf52840::<Uf2>("nrf52840-uf2-s6", nrf52840::BEHIND_SOFTDEVICE_6, end);
}

#[test]
fn an_installation_knows_the_places_of_an_stm32f407() {
    let board = bootlace_install::boards::named("stm32f407").unwrap();
    assert_eq!(
        (board.flash, board.companion),
        (stm32f407::BASE, stm32f407::BOOTLOADER_END)
    );
    let primary = stm32f407::BASE + Stm32f407::MAP.primary.offset;
    assert_eq!(board.primary, (primary, largest::<Stm32f407>()));
    let units: Vec<_> = board.units.iter().flat_map(|units| units.all()).collect();
    for (number, unit) in units.iter().enumerate() {
        let from = unit.at - stm32f407::BASE;
        let number = number as u32;
        assert_eq!(
            stm32f407::sectors(from, from + unit.len),
            Some(number..number + 1)
        );
    }
    let last = units.last().unwrap();
    assert_eq!(last.at + last.len, stm32f407::BASE + stm32f407::SIZE);
}

#[test]
fn an_nrf52840_holds_images_of_472_kb() {
    an_nrf52840::<Nrf52840>(0, nrf52840::SIZE - nrf52840::PAGE, 472);
}

/// `NRF_DFU_APP_DATA_AREA_SIZE` of the dongle's `sdk_config.h`: what its loader never puts an image in.
const NORDICS_DATA_AREA: u32 = 12_288;

#[test]
fn a_dongle_holds_images_of_400_kb_between_mbr_and_nordics_bootloader() {
    let end = nrf52840::NORDICS_BOOTLOADER - NORDICS_DATA_AREA;
    an_nrf52840::<Dongle>(nrf52840::BEHIND_MBR, end, 400);
}

#[test]
fn a_board_with_a_drive_holds_images_of_332_kb_between_softdevice_and_adafruits_bootloader() {
    an_nrf52840::<Uf2>(
        nrf52840::BEHIND_SOFTDEVICE_7,
        nrf52840::ADAFRUITS_NEW_BOOTLOADER,
        332,
    );
    // The page of a copied vector table is locked as well.
    assert_eq!(
        nrf52840::BEHIND_SOFTDEVICE_6 + nrf52840::PAGE,
        nrf52840::BEHIND_SOFTDEVICE_7
    );
}

/// The words lie behind every program's RAM, where the loaders' data and stacks are not (linker scripts of both: data from
/// 0x20000008 and from 0x20008000 on, stacks of 2 and 8 KB at the end of 256 KB).
#[test]
fn words_for_each_other_survive_a_makers_loader() {
    let place = nrf52840::LEFT_BEHIND_LOADER;
    for board in ["nrf52840-dongle", "nrf52840-uf2"] {
        for file in ["memory.x", "application.x"] {
            let script = script(board, file);
            let (start, len) = (number(&script, "RAM", "ORIGIN"), number(&script, "RAM", "LENGTH"));
            // The MBR's first 8 bytes, and the same start as without a loader.
            assert_eq!(start, 0x2000_0010);
            assert!(start + len <= place, "{board}/{file}");
        }
    }
    const STACKS: u32 = 0x2004_0000 - 8 * 1024;
    assert!(place + 16 <= STACKS && place >= 0x2002_0000);
    let address = "pub const ADDRESS: usize = 0x2003_7FF0;";
    assert!(script("cortex-m", "src/retained.rs").contains(address));
    assert_eq!(place, 0x2003_7FF0);
}

#[test]
fn other_bootloaders_words_are_understood_and_no_others() {
    let asked: Vec<u8> = (0..=u8::MAX)
        .filter(|&word| nrf52840::asks_for_bootloader(word))
        .collect();
    assert_eq!(asked, [0x4E, 0x57, 0xB1]);
}

/// The number behind `word` in a linker script's line of this region: `0x` or K.
fn number(script: &str, region: &str, word: &str) -> u32 {
    let line = script
        .lines()
        .find(|line| line.trim_start().starts_with(&format!("{region} ")))
        .unwrap();
    let text = line.split(word).nth(1).unwrap().trim_start_matches([' ', '=']);
    let term = |term: &str| {
        let term: String = term
            .trim()
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect();
        match (term.strip_prefix("0x"), term.strip_suffix('K')) {
            (Some(hex), _) => u32::from_str_radix(hex, 16).unwrap(),
            (_, Some(kb)) => kb.parse::<u32>().unwrap() * 1024,
            _ => term.parse().unwrap(),
        }
    };
    let sum = text.split(',').next().unwrap();
    let mut terms = sum.split('-');
    terms.next().map(term).unwrap() - terms.map(term).sum::<u32>()
}

/// A linker script of a board.
fn script(board: &str, file: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../boards");
    fs::read_to_string(format!("{folder}/{board}/{file}")).unwrap()
}

/// The linker puts bootloader, identity block and application where the map has them.
fn scripts_agree<B: Chip>(board: &str, bootloader_start: u32, bootloader_end: u32) {
    let bootloader = script(board, "memory.x");
    let block = bootlace_identity::LEN as u32;
    let at = number(&bootloader, "IDENTITY", "ORIGIN");
    assert_eq!(at, B::BASE + bootloader_end - block);
    assert_eq!(number(&bootloader, "IDENTITY", "LENGTH"), block);
    let (start, len) = (
        number(&bootloader, "FLASH", "ORIGIN"),
        number(&bootloader, "FLASH", "LENGTH"),
    );
    assert_eq!((start, start + len), (B::BASE + bootloader_start, at));
    // 24 KB of RAM, of which the first 16 bytes are words that survive a reset.
    assert_eq!(number(&bootloader, "RAM", "LENGTH"), 24 * 1024 - 16);
    let application = script(board, "application.x");
    let (start, len) = (
        number(&application, "FLASH", "ORIGIN"),
        number(&application, "FLASH", "LENGTH"),
    );
    let primary = B::BASE + B::MAP.primary.offset;
    assert_eq!(start, primary + 0x400);
    // A page for what signing adds.
    assert!(start + len + 4096 <= primary + largest::<B>());
}

#[test]
fn an_nrf52840s_linker_scripts_agree_with_its_map() {
    scripts_agree::<Nrf52840>("nrf52840", 0, 56 * 1024);
    let start = nrf52840::BEHIND_MBR;
    scripts_agree::<Dongle>("nrf52840-dongle", start, start + 56 * 1024);
    let start = nrf52840::BEHIND_SOFTDEVICE_7;
    scripts_agree::<Uf2>("nrf52840-uf2", start, start + 56 * 1024);
}

#[test]
fn an_stm32f407s_linker_scripts_agree_with_its_map() {
    scripts_agree::<Stm32f407>("stm32f407", 0, stm32f407::BOOTLOADER_END);
    // The bootloader's code begins behind the records, and its vector table, the first thing in flash, ends before them.
    let memory = script("stm32f407", "memory.x");
    let code = number(&memory, "_stext", "=");
    let state = Stm32f407::MAP.state;
    assert_eq!(code, stm32f407::BASE + stm32f407::CODE_START);
    assert_eq!(stm32f407::CODE_START, state.offset + state.size);
    const LARGEST_VECTOR_TABLE: u32 = 1024;
    assert!(LARGEST_VECTOR_TABLE <= state.offset);
}

#[test]
fn an_stm32f407_holds_images_of_256_kb() {
    let map = Stm32f407::MAP;
    // Its bootloader's code lies behind the state.
    in_order::<Stm32f407>(stm32f407::SMALL, stm32f407::SIZE);
    assert!(map.state.offset + map.state.size <= stm32f407::CODE_START);
    assert!(stm32f407::BOOTLOADER_END <= map.primary.offset);
    assert_eq!(largest::<Stm32f407>(), 256 * 1024);
}

/// Sectors as the reference manual's table 5 has them: each with its first byte and its size in KB.
const SECTORS_OF_RM0090: [(u32, u32); 12] = [
    (0x0800_0000, 16),
    (0x0800_4000, 16),
    (0x0800_8000, 16),
    (0x0800_C000, 16),
    (0x0801_0000, 64),
    (0x0802_0000, 128),
    (0x0804_0000, 128),
    (0x0806_0000, 128),
    (0x0808_0000, 128),
    (0x080A_0000, 128),
    (0x080C_0000, 128),
    (0x080E_0000, 128),
];

#[test]
fn every_unit_of_an_stm32f407_is_one_sector() {
    let map = Stm32f407::MAP;
    let mut units = Vec::new();
    for Region { offset, size, erase } in [map.state, map.primary, map.secondary] {
        for unit in (offset..offset + size).step_by(erase as usize) {
            let sectors = stm32f407::sectors(unit, unit + erase).unwrap();
            assert_eq!(sectors.len(), 1, "{unit:#x}");
            let (start, kb) = SECTORS_OF_RM0090[sectors.start as usize];
            assert_eq!((stm32f407::BASE + unit, erase), (start, kb * 1024));
            units.push(sectors.start);
        }
    }
    // The other sectors are the bootloader's, which the factory may protect.
    let others = (0..12).filter(|sector| !units.contains(sector));
    assert_eq!(
        others.map(|sector| 1 << sector).sum::<u32>(),
        stm32f407::PROTECTED
    );
}

#[test]
fn an_stm32f407_erases_whole_sectors_or_nothing() {
    let ends = SECTORS_OF_RM0090.map(|(start, kb)| start - stm32f407::BASE + kb * 1024);
    for (sector, (start, _)) in SECTORS_OF_RM0090.into_iter().enumerate() {
        let start = start - stm32f407::BASE;
        assert_eq!(stm32f407::sectors(start, ends[11]), Some(sector as u32..12));
        assert_eq!(stm32f407::sectors(0, ends[sector]), Some(0..sector as u32 + 1));
        assert_eq!(stm32f407::sectors(start + 4096, ends[11]), None);
        assert_eq!(stm32f407::sectors(0, ends[sector] - 4096), None);
    }
    assert_eq!(stm32f407::sectors(0, stm32f407::SIZE + 128 * 1024), None);
}

#[test]
fn an_stm32f407s_pll_gives_processor_and_usb_their_clocks_from_every_crystal() {
    for mhz in [8, 12, 16, 25] {
        let word = stm32f407::pll(mhz, true);
        // RM0090, 7.3.2: PLLM, PLLN, PLLP of which 0 halves, and PLLQ.
        let (m, n, p, q) = (word & 63, word >> 6 & 511, word >> 16 & 3, word >> 24 & 15);
        assert_eq!(mhz % m, 0);
        let vco = mhz / m * n;
        assert_eq!(p, 0);
        assert_eq!(vco / 2, stm32f407::PROCESSOR_MHZ);
        assert_eq!((vco % q, vco / q), (0, 48));
        // The limits of the PLL's input and of its own oscillator, in MHz.
        assert!((1..=2).contains(&(mhz / m)) && (100..=432).contains(&vco));
        assert_eq!(word >> 22 & 1, 1);
    }
    assert_eq!(stm32f407::pll(stm32f407::INTERNAL_MHZ, false) >> 22 & 1, 0);
}

#[test]
fn an_stm32f407_tells_the_gravest_reason_of_a_reset() {
    for (status, reason) in [
        // Bits of RM0090, 7.3.21, from 31 down: low power, window watchdog, independent watchdog, software, power, pin, brownout.
        (0x0E00_0000, Reset::PowerOn),
        (0x0600_0000, Reset::Brownout),
        (0x0400_0000, Reset::Pin),
        (0x1400_0000, Reset::Software),
        (0x2400_0000, Reset::Watchdog),
        (0x4400_0000, Reset::Watchdog),
        (0x8400_0000, Reset::Fault),
        (0x3400_0000, Reset::Watchdog),
        (0x0000_0003, Reset::PowerOn),
    ] {
        assert_eq!(stm32f407::reset_reason(status), reason, "{status:#x}");
    }
}

#[test]
fn an_stm32f407s_watchdog_waits_as_long_as_it_is_told_up_to_its_limit() {
    let millis = |Patience { prescaler, reload }| (4 << prescaler) * (reload + 1) / 32;
    for asked in [1, 10, 500, 512, 513, 3000, 5000, 32_000, 32_768] {
        let set = stm32f407::patience(asked);
        assert!(set.prescaler <= 6 && set.reload <= 0xFFF, "{set:?}");
        // No shorter than asked, and longer by one count at most.
        let waits = millis(set);
        assert!((asked..=asked + 8).contains(&waits), "{asked}: {waits}");
    }
    assert_eq!(millis(stm32f407::patience(u32::MAX)), 32_768);
}
