//! What a chip's flash is to hold.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

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
    /// installation that was interrupted leaves a chip that stays in its loader.
    pub start: u32,
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
        let mut flat = vec![0xFF; end as usize];
        for part in &self.parts {
            let places = flat.iter_mut().skip(part.at.saturating_sub(base) as usize);
            places.zip(&part.bytes).for_each(|(place, byte)| *place = *byte);
        }
        flat
    }

    /// The units of so many bytes that the installation changes, in the order of their addresses, each with all of its bytes
    /// afterwards.
    pub(crate) fn units(&self, unit: u32) -> Vec<Part> {
        let unit = unit.max(1);
        let mut units: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
        let first_of = |at: u32| at - at % unit;
        let blank = || vec![0xFF; unit as usize];
        for at in (first_of(self.blank.start)..self.blank.end).step_by(unit as usize) {
            units.insert(at, blank());
        }
        for part in &self.parts {
            let (mut at, mut rest) = (part.at, part.bytes.as_slice());
            while !rest.is_empty() {
                let into = at % unit;
                let (piece, after) = rest.split_at(rest.len().min((unit - into) as usize));
                let places = units.entry(at - into).or_insert_with(blank).iter_mut();
                let places = places.skip(into as usize).zip(piece);
                places.for_each(|(place, byte)| *place = *byte);
                (at, rest) = (at.saturating_add(piece.len() as u32), after);
            }
        }
        units.into_iter().map(|(at, bytes)| Part { at, bytes }).collect()
    }
}
