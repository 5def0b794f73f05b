//! Linked programs (ELF): what a chip's flash gets of them.

use alloc::vec::Vec;
use core::fmt;

use object::elf::{self, FileHeader32, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader as _};
use object::{Endianness, FileKind};

use crate::memory::{Memory, Misplaced};

/// Why a program can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// It is cut off or damaged.
    Damaged,
    /// It is not linked: its code has no addresses yet.
    NotLinked,
    /// Its bytes can't lie where it says.
    Place(Misplaced),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Damaged => f.write_str("it is cut off or damaged"),
            Error::NotLinked => f.write_str("it is not linked, so that nothing in it has an address"),
            Error::Place(misplaced) => write!(f, "{misplaced}"),
        }
    }
}

impl core::error::Error for Error {}

/// Whether a file begins as ELF does.
pub fn begins(file: &[u8]) -> bool {
    file.starts_with(&elf::ELFMAG)
}

/// Reads what is loaded, at the addresses where it is stored (`p_paddr`), which for data is not where they lie when the program
/// runs.
///
/// # Errors
/// It is no linked program, or a damaged one.
pub fn read(file: &[u8]) -> Result<Memory, Error> {
    match FileKind::parse(file) {
        Ok(FileKind::Elf32) => linked::<FileHeader32<Endianness>>(file),
        Ok(FileKind::Elf64) => linked::<FileHeader64<Endianness>>(file),
        _ => Err(Error::Damaged),
    }
}

fn linked<H: FileHeader<Endian = Endianness>>(file: &[u8]) -> Result<Memory, Error> {
    let header = H::parse(file).map_err(|_| Error::Damaged)?;
    let endian = header.endian().map_err(|_| Error::Damaged)?;
    if header.e_type(endian) != elf::ET_EXEC && header.e_type(endian) != elf::ET_DYN {
        return Err(Error::NotLinked);
    }
    let mut memory = Memory::default();
    let segments = header.program_headers(endian, file).map_err(|_| Error::Damaged)?;
    for segment in segments.iter().filter(|it| it.p_type(endian) == elf::PT_LOAD) {
        let bytes = segment.data(endian, file).map_err(|()| Error::Damaged)?;
        let at: u64 = segment.p_paddr(endian).into();
        if bytes.is_empty() {
            continue;
        }
        let at = u32::try_from(at).map_err(|_| Error::Place(Misplaced::Beyond))?;
        memory.insert(at, Vec::from(bytes)).map_err(Error::Place)?;
    }
    Ok(memory)
}
