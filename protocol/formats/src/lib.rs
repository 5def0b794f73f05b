//! Files that programmers and chips take: Intel HEX, S-records, UF2, ELF and plain bytes, and what they say of a chip's memory.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod elf;
pub mod hex;
pub mod memory;
pub mod srec;
pub mod sums;
pub mod text;
pub mod uf2;
pub mod zip;

use alloc::vec::Vec;
use core::fmt;

use memory::{Memory, Misplaced};

/// A format of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Intel HEX.
    Hex,
    /// Motorola S-records.
    Srec,
    /// UF2.
    Uf2,
    /// A linked program.
    Elf,
    /// Bytes alone, without an address.
    Binary,
}

impl Format {
    /// The format of a file by its first bytes; what is none of the others is [`Format::Binary`].
    pub fn of(file: &[u8]) -> Format {
        let is_digit = |byte: &u8| byte.is_ascii_hexdigit();
        match file.trim_ascii_start() {
            [b':', rest @ ..] if rest.len() >= 10 && rest.iter().take(10).all(is_digit) => Format::Hex,
            [b'S' | b's', b'0'..=b'9', rest @ ..] if rest.len() >= 6 && rest.iter().take(6).all(is_digit) => {
                Format::Srec
            }
            _ if uf2::begins(file) => Format::Uf2,
            _ if elf::begins(file) => Format::Elf,
            _ => Format::Binary,
        }
    }

    /// What people call it.
    pub const fn title(self) -> &'static str {
        match self {
            Format::Hex => "Intel HEX",
            Format::Srec => "S-records",
            Format::Uf2 => "UF2",
            Format::Elf => "ELF",
            Format::Binary => "plain bytes",
        }
    }
}

/// Why a file can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// A line of Intel HEX or S-records.
    Text(text::Error),
    /// A block of UF2.
    Uf2(uf2::Error),
    /// A linked program.
    Elf(elf::Error),
    /// Plain bytes do not fit behind their address.
    Place(Misplaced),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Text(error) => error.fmt(f),
            Error::Uf2(error) => error.fmt(f),
            Error::Elf(error) => error.fmt(f),
            Error::Place(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for Error {}

/// Reads a file in whatever format it has. Plain bytes begin at `start`.
///
/// # Errors
/// What is wrong with it.
pub fn read(file: &[u8], start: u32) -> Result<Memory, Error> {
    match Format::of(file) {
        Format::Hex => hex::read(file).map_err(Error::Text),
        Format::Srec => srec::read(file).map_err(Error::Text),
        Format::Elf => elf::read(file).map_err(Error::Elf),
        Format::Binary => Memory::of(start, Vec::from(file)).map_err(Error::Place),
        Format::Uf2 => {
            let content = uf2::read(file).map_err(Error::Uf2)?;
            let mut memory = Memory::default();
            for (at, bytes) in content.parts {
                memory.insert(at, bytes).map_err(Error::Place)?;
            }
            Ok(memory)
        }
    }
}
