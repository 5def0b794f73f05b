//! What a chip's flash is to hold.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use bootlace_loader::{Unit, Units};

/// Bytes of flash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The address of the first one.
    pub at: u32,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// What the flash holds after an installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlashPlan {
    /// What is written.
    pub parts: Vec<Part>,
    /// What is blank where nothing is written.
    pub blank: Range<u32>,
    /// Where the chip begins when it starts: the unit that holds this is erased first and written last, so that an
    /// installation that was interrupted leaves a chip that stays in its loader, or gets no further than to start nothing.
    pub start: u32,
    /// The units that the chip's flash must have: those that the companion was built for.
    pub units: &'static [Units],
}

/// What does not fit a board. Bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// The companion is larger than its place.
    Companion {
        /// Its length.
        len: usize,
        /// What fits.
        most: u32,
    },
    /// The image is larger than its slot takes.
    Image {
        /// Its length.
        len: usize,
        /// What fits.
        most: u32,
    },
}

impl FlashPlan {
    /// All that the flash holds from the begin of what is blank on, as one piece; between the parts it is blank.
    pub fn flat(&self) -> Vec<u8> {
        let base = self.blank.start;
        let end_of = |part: &Part| u64::from(part.at.saturating_sub(base)) + part.bytes.len() as u64;
        let blank = u64::from(self.blank.end.saturating_sub(base));
        let end = self
            .parts
            .iter()
            .map(end_of)
            .chain([blank])
            .max()
            .unwrap_or_default();
        self.content(base, end as usize)
    }

    /// What the flash holds from an address on: parts, and blank where there are none.
    pub(crate) fn content(&self, at: u32, len: usize) -> Vec<u8> {
        let mut content = vec![0xFF; len];
        for part in &self.parts {
            let (ahead, behind) = (part.at.saturating_sub(at), at.saturating_sub(part.at));
            let places = content.get_mut(ahead as usize..).unwrap_or_default();
            let bytes = part.bytes.get(behind as usize..).unwrap_or_default();
            let both = places.len().min(bytes.len());
            if let (Some(places), Some(bytes)) = (places.get_mut(..both), bytes.get(..both)) {
                places.copy_from_slice(bytes);
            }
        }
        content
    }

    /// The units that the installation may change, in the order of their addresses; `unit_of` tells the one that holds an address.
    ///
    /// # Errors
    /// The first address that the plan needs and that lies in no unit.
    pub(crate) fn changed(&self, unit_of: impl Fn(u32) -> Option<Unit>) -> Result<Vec<Unit>, u32> {
        let end_of = |part: &Part| u64::from(part.at) + part.bytes.len() as u64;
        let parts = self.parts.iter().map(|part| (part.at, end_of(part)));
        let ranges = parts.chain([(self.blank.start, u64::from(self.blank.end))]);
        let mut units: Vec<Unit> = Vec::new();
        for (mut at, end) in ranges {
            while u64::from(at) < end {
                let unit = unit_of(at).ok_or(at)?;
                units.push(unit);
                match unit.at.checked_add(unit.len) {
                    Some(next) if next > at => at = next,
                    _ => break,
                }
            }
        }
        units.sort_by_key(|unit| unit.at);
        units.dedup();
        Ok(units)
    }
}
