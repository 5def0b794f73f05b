//! What the protocol does not say of the chip.

use bootlace_loader::{Unit, Units};

/// What an STM32F405, F407, F415 or F417 answers to Get ID (AN2606, table of product identifiers; RM0090, 38.6.1).
pub const STM32F407: u16 = 0x0413;

/// Where flash begins.
pub(crate) const FLASH: u32 = 0x0800_0000;
/// Its sectors, numbered as they lie (RM0090, table 5), where there are all of them.
const SECTORS: [Units; 3] = [
    Units {
        at: FLASH,
        count: 4,
        len: 16 << 10,
    },
    Units {
        at: FLASH + (64 << 10),
        count: 1,
        len: 64 << 10,
    },
    Units {
        at: FLASH + (128 << 10),
        count: 7,
        len: 128 << 10,
    },
];

/// The sector that holds an address, and its number.
pub(crate) fn sector(at: u32) -> Option<(u16, Unit)> {
    let mut before = 0;
    for row in SECTORS {
        if let Some((number, unit)) = row.holding(at) {
            return Some((u16::try_from(before + number).ok()?, unit));
        }
        before += row.count;
    }
    None
}

/// Where the chip says how much flash it has, and what is read to see that: ROMs of this series refuse to read a few bytes there.
/// RM0090, 39.2: a half-word of kilobytes at 0x1FFF7A22.
pub(crate) const ABOUT: u32 = 0x1FFF_7A00;
/// Bytes that are read there.
pub(crate) const ABOUT_LEN: u32 = 256;

/// Bytes of flash by what was read there; `None` where that says nothing sensible.
pub(crate) fn flash_len(about: &[u8]) -> Option<u32> {
    let kilobytes = u16::from_le_bytes(*about.get(0x22..)?.first_chunk()?);
    (16..=2048)
        .contains(&kilobytes)
        .then_some(u32::from(kilobytes) << 10)
}
