//! What a flash holds, or is to hold, as a file: for a programmer, for the chip's drive, or to bring it back later.

use alloc::vec::Vec;

use bootlace_formats::{hex, uf2};

use crate::boards::Board;
use crate::package;
use crate::plan::{FlashPlan, Part};

/// A format that programmers or chips' drives take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The bytes from the flash's begin on.
    Bin,
    /// Intel HEX.
    Hex,
    /// UF2.
    Uf2,
    /// A package for Nordic's bootloader.
    Zip,
}

impl Format {
    /// The end of a file's name that says it.
    pub const fn extension(self) -> &'static str {
        match self {
            Format::Bin => "bin",
            Format::Hex => "hex",
            Format::Uf2 => "uf2",
            Format::Zip => "zip",
        }
    }

    /// The format of this end of a name.
    pub fn of_extension(extension: &str) -> Option<Format> {
        let all = [Format::Bin, Format::Hex, Format::Uf2, Format::Zip];
        all.into_iter()
            .find(|format| format.extension().eq_ignore_ascii_case(extension))
    }
}

/// What a drive's CURRENT.UF2 says that the flash holds where a plan changes it.
///
/// # Errors
/// The file can't be used.
pub fn held(current: &[u8], plan: &FlashPlan) -> Result<Vec<Part>, uf2::Error> {
    let begin = plan.blank.start;
    let end = begin.saturating_add(plan.flat().len() as u32);
    let parts = uf2::read(current)?.parts.into_iter();
    Ok(parts
        .filter_map(|(at, bytes)| {
            let from = begin.max(at);
            let len = end.checked_sub(from)? as usize;
            let bytes = bytes.get((from - at) as usize..)?;
            let bytes = bytes.get(..len).unwrap_or(bytes).to_vec();
            (!bytes.is_empty()).then_some(Part { at: from, bytes })
        })
        .collect())
}

impl Board {
    /// The format that the board's own loader takes, where it takes files; else the plainest.
    pub const fn own_format(&self) -> Format {
        match self.drive {
            Some(_) => Format::Uf2,
            None => Format::Bin,
        }
    }

    /// What a flash is to hold, as a file. `None`: the board takes no such files.
    pub fn file(&self, plan: &FlashPlan, format: Format) -> Option<Vec<u8>> {
        Some(match format {
            Format::Bin => plan.flat(),
            Format::Hex => {
                let parts = plan.parts.iter().map(|part| (part.at, part.bytes.as_slice()));
                hex::write(parts).into_bytes()
            }
            Format::Uf2 => uf2::write(plan.blank.start, &plan.flat(), self.drive.as_ref()?.family),
            Format::Zip => package::zip(&self.package(plan)?),
        })
    }

    /// What the flash held, as a plan that brings it back; `None` where it was blank.
    pub fn restoring(&self, parts: Vec<Part>) -> Option<FlashPlan> {
        let mut bytes = parts.iter().flat_map(|part| &part.bytes);
        let start = self.begin();
        bytes.any(|byte| *byte != 0xFF).then_some(FlashPlan {
            parts,
            blank: start..start,
            start,
            units: self.units,
        })
    }
}
