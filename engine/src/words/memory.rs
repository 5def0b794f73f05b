//! What is said about files of a chip's memory: Intel HEX, S-records, UF2, ELF and plain bytes.

use alloc::format;
use alloc::string::String;
use core::fmt::Display;

use super::{Sentence, Table};

/// A file is damaged; `why` names the line or block.
pub fn damaged(path: impl Display, format: &str, why: impl Display) -> Sentence {
    Sentence::new(
        "DamagedFile",
        format!("{path} looks like {format}, and can't be used: {why}."),
        "Get the file again from where it was made; nothing was written.",
    )
}

/// A file holds no byte.
pub fn empty(path: impl Display) -> Sentence {
    Sentence::new(
        "EmptyFile",
        format!("{path} holds nothing for a chip's memory."),
        "Choose another file.",
    )
}

/// Plain bytes come without an address.
pub fn no_address(path: impl Display) -> Sentence {
    Sentence::new(
        "NoAddress",
        format!("{path} holds plain bytes, which say no address."),
        format!("Name the address behind the file: {path}@0x08000000."),
    )
}

/// A file that has addresses got one more.
pub fn has_addresses(path: impl Display, format: &str) -> Sentence {
    Sentence::new(
        "HasAddresses",
        format!("{path} is {format}, which has addresses of its own."),
        "Leave the address behind @ away; --offset moves all bytes.",
    )
}

/// Two files give a byte for one address.
pub fn overlap(path: impl Display, at: u32) -> Sentence {
    Sentence::new(
        "Overlap",
        format!("{path} has bytes for {at:#010x}, and so has a file before it."),
        "Cut the range out of one of the two first (bootlace image convert --without), or choose files that do not overlap.",
    )
}

/// Bytes would lie outside of 32 bits.
pub fn beyond() -> Sentence {
    Sentence::new(
        "BeyondMemory",
        "Bytes would lie below address 0 or above 0xffffffff.",
        "Choose another --offset or address.",
    )
}

/// Nothing is left of the files.
pub fn nothing_left() -> Sentence {
    Sentence::new(
        "NothingLeft",
        "Nothing is left of the files after --only and --without.",
        "Choose other ranges: “bootlace image crc FILE” shows where the bytes lie.",
    )
}

/// A sum over bytes that have gaps between them.
pub fn gap(from: u64, to: u64) -> Sentence {
    Sentence::new(
        "Gap",
        format!(
            "There is nothing from {from:#010x} to {to:#010x}, so that the sum would depend on what the flash holds there."
        ),
        "Fill gaps with --fill, or sum a range without one with --over.",
    )
}

/// A sum's own place is amid what is summed.
pub fn sum_inside(at: u32) -> Sentence {
    Sentence::new(
        "SumInside",
        format!("The place of the sum, {at:#010x}, lies amid the bytes that are summed."),
        "Say what is summed with --over, without that place.",
    )
}

/// The unit of an STM32 takes words.
pub fn no_words(len: u64) -> Sentence {
    Sentence::new(
        "NoWords",
        format!("An STM32's CRC unit takes words of 4 bytes, and there are {len} bytes."),
        "Fill up to a multiple of 4 with --fill, or choose the range with --over.",
    )
}

/// A binary would be mostly gap.
pub fn too_far_apart(from: u64, to: u64, megabytes: u64) -> Sentence {
    Sentence::new(
        "TooFarApart",
        format!(
            "From the first byte at {from:#010x} to the last before {to:#010x} it is more than {megabytes} MB, which a file of plain bytes would hold whole."
        ),
        "Write .hex or .srec, which leave gaps out, or choose a part with --only.",
    )
}

/// UF2 says for which chips a file is.
pub fn no_family() -> Sentence {
    Sentence::new(
        "NoFamily",
        "UF2 says for which chips a file is.",
        "Say --family rp2040, --family nrf52840, or the number of another one.",
    )
}

/// The name of the output says no format.
pub fn no_format(path: impl Display) -> Sentence {
    Sentence::new(
        "NoFormat",
        format!("The end of {path} names no format."),
        "End the name in .bin, .hex, .srec or .uf2.",
    )
}

/// A file is written.
pub fn written(path: impl Display, len: u64, parts: usize) -> String {
    match parts {
        1 => format!("{path}: {len} bytes"),
        _ => format!("{path}: {len} bytes in {parts} parts"),
    }
}

/// A part of a memory.
pub fn part(at: u32, len: usize) -> String {
    let end = u64::from(at) + len as u64;
    format!("  {at:#010x} to {end:#010x}  {len} bytes")
}

/// The sums of `len` bytes from `start` on, by their names, and the SHA-256 in hexadecimal digits.
pub fn sums<'s>(start: u64, len: usize, sums: impl Iterator<Item = (&'s str, u32)>, sha256: &str) -> Table {
    let end = start + len as u64;
    let mut table = Table::new(format!("{len} bytes from {start:#010x} to {end:#010x}"));
    for (name, sum) in sums {
        let title = match name {
            "crc32" => "CRC-32",
            "mpeg2" => "CRC-32/MPEG-2",
            _ => "STM32's CRC unit",
        };
        table.row(title, format!("{sum:#010x}"));
    }
    table.row("SHA-256", sha256);
    table
}

/// Gaps are filled where the format has none.
pub fn gaps_filled(bytes: u64, filler: u8) -> String {
    format!("{bytes} bytes between the parts are {filler:#04x}")
}
