//! Nothing overlaps, everything begins where a sector begins, locks cover what they are for, the core's layout takes the slots,
//! and linker scripts say the same.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::string::String;
use std::vec::Vec;
use std::{format, fs};

use bootlace_core::chip::{Chip, OneChip, Region};
use bootlace_core::flash::{Area, Flash as _};
use bootlace_core::layout::Layout;
use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};

use crate::nrf52840::{self, Nrf52840};

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

#[test]
fn an_nrf52840_holds_images_of_472_kb() {
    in_order::<Nrf52840>(nrf52840::BOOTLOADER_END, nrf52840::SIZE);
    assert_eq!(largest::<Nrf52840>(), 472 * 1024);
    let map = Nrf52840::MAP;
    for region in [map.state, map.primary, map.secondary] {
        assert_eq!(
            (region.erase, region.offset % nrf52840::PAGE),
            (nrf52840::PAGE, 0)
        );
    }
}

#[test]
fn an_nrf52840_locks_bootloader_and_records_and_no_slot() {
    let map = Nrf52840::MAP;
    let locked = nrf52840::LOCKED;
    assert_eq!((locked.start, locked.end), (0, map.state.offset + map.state.size));
    assert!(nrf52840::BOOTLOADER_END <= locked.end && locked.end <= map.primary.offset);
    // ACL takes whole pages, 512 KB at most.
    assert!(locked.end.is_multiple_of(nrf52840::PAGE) && locked.end <= 512 * 1024);
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

/// The linker puts bootloader, identity block and application where the map has them.
#[test]
fn linker_scripts_agree_with_the_map() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../boards/nrf52840");
    let bootloader = fs::read_to_string(format!("{folder}/memory.x")).unwrap();
    let block = bootlace_identity::LEN as u32;
    let at = number(&bootloader, "IDENTITY", "ORIGIN");
    assert_eq!(at, nrf52840::BOOTLOADER_END - block);
    assert_eq!(number(&bootloader, "IDENTITY", "LENGTH"), block);
    let (start, len) = (
        number(&bootloader, "FLASH", "ORIGIN"),
        number(&bootloader, "FLASH", "LENGTH"),
    );
    assert_eq!((start, start + len), (0, at));
    // 24 KB of RAM, of which the first 16 bytes are words that survive a reset.
    assert_eq!(number(&bootloader, "RAM", "LENGTH"), 24 * 1024 - 16);
    let application = fs::read_to_string(format!("{folder}/application.x")).unwrap();
    let (start, len) = (
        number(&application, "FLASH", "ORIGIN"),
        number(&application, "FLASH", "LENGTH"),
    );
    let primary = Nrf52840::MAP.primary;
    assert_eq!(start, primary.offset + 0x400);
    // A page for what signing adds.
    assert!(start + len + 4096 <= primary.offset + largest::<Nrf52840>());
}
