//! What a file says of a chip's memory: bytes with their addresses, and gaps of which it says nothing.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

/// One past the last address of 32 bits.
pub const END: u64 = 1 << 32;

/// Bytes at addresses of 32 bits. Ranges are half open and may end at [`END`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// By the address of the first byte. Parts do not overlap and do not adjoin.
    parts: BTreeMap<u32, Vec<u8>>,
}

/// Why bytes can't lie where they should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misplaced {
    /// There is a byte already: the first such address.
    Overlap(u32),
    /// They would go below address 0 or above the last one of 32 bits.
    Beyond,
}

impl fmt::Display for Misplaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Misplaced::Overlap(at) => write!(f, "there are bytes at {at:#010x} already"),
            Misplaced::Beyond => f.write_str("bytes would lie outside the addresses of 32 bits"),
        }
    }
}

impl core::error::Error for Misplaced {}

/// Where a part ends.
fn end_of(at: u32, bytes: &[u8]) -> u64 {
    u64::from(at) + bytes.len() as u64
}

impl Memory {
    /// Bytes from an address on, and nothing else.
    ///
    /// # Errors
    /// [`Misplaced::Beyond`].
    pub fn of(at: u32, bytes: Vec<u8>) -> Result<Self, Misplaced> {
        let mut memory = Memory::default();
        memory.insert(at, bytes)?;
        Ok(memory)
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// Nothing is changed where they lie on others, or beyond the last address.
    pub fn insert(&mut self, at: u32, mut bytes: Vec<u8>) -> Result<(), Misplaced> {
        let end = end_of(at, &bytes);
        if bytes.is_empty() {
            return Ok(());
        }
        if end > END {
            return Err(Misplaced::Beyond);
        }
        if let Some(taken) = self.first_in(u64::from(at)..end) {
            return Err(Misplaced::Overlap(taken));
        }
        if let Ok(next) = u32::try_from(end)
            && let Some(behind) = self.parts.remove(&next)
        {
            bytes.extend(behind);
        }
        match self.parts.range_mut(..at).next_back() {
            Some((start, before)) if end_of(*start, before) == u64::from(at) => before.extend(bytes),
            _ => {
                self.parts.insert(at, bytes);
            }
        }
        Ok(())
    }

    /// The first address of a range at which there is a byte.
    pub fn first_in(&self, range: Range<u64>) -> Option<u32> {
        let (at, bytes) = self.parts_in(range).next()?;
        (!bytes.is_empty()).then_some(at)
    }

    /// The parts, in the order of addresses.
    pub fn parts(&self) -> impl Iterator<Item = (u32, &[u8])> {
        self.parts.iter().map(|(at, bytes)| (*at, bytes.as_slice()))
    }

    /// What lies in a range, part by part.
    pub fn parts_in(&self, range: Range<u64>) -> impl Iterator<Item = (u32, &[u8])> {
        // The part that begins last before the range may reach into it.
        let first = u32::try_from(range.start).ok();
        let before = first.and_then(|first| self.parts.range(..=first).next_back());
        let begin = before.map_or(0, |(at, _)| *at);
        self.parts.range(begin..).filter_map(move |(at, bytes)| {
            let (start, end) = (u64::from(*at), end_of(*at, bytes));
            let (from, to) = (range.start.max(start), range.end.min(end));
            let inside = (from < to).then(|| (from - start) as usize..(to - start) as usize)?;
            Some((from as u32, bytes.get(inside)?))
        })
    }

    /// From the first byte to behind the last one; `None` where there is none.
    pub fn range(&self) -> Option<Range<u64>> {
        let (first, _) = self.parts.first_key_value()?;
        let (last, bytes) = self.parts.last_key_value()?;
        Some(u64::from(*first)..end_of(*last, bytes))
    }

    /// Bytes in all.
    pub fn len(&self) -> u64 {
        self.parts.values().map(|bytes| bytes.len() as u64).sum()
    }

    /// Whether there is no byte.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The gaps of a range.
    pub fn gaps(&self, range: Range<u64>) -> Vec<Range<u64>> {
        let mut gaps = Vec::new();
        let mut at = range.start;
        for (start, bytes) in self.parts_in(range.clone()) {
            if at < u64::from(start) {
                gaps.push(at..u64::from(start));
            }
            at = end_of(start, bytes);
        }
        if at < range.end {
            gaps.push(at..range.end);
        }
        gaps
    }

    /// What lies in a range alone.
    #[must_use]
    pub fn crop(&self, range: Range<u64>) -> Memory {
        let parts = self.parts_in(range);
        Memory {
            parts: parts.map(|(at, bytes)| (at, bytes.to_vec())).collect(),
        }
    }

    /// All but what lies in a range.
    #[must_use]
    pub fn without(&self, range: Range<u64>) -> Memory {
        let mut rest = self.crop(0..range.start);
        rest.parts.append(&mut self.crop(range.end..END).parts);
        rest
    }

    /// All of it, so many bytes higher.
    ///
    /// # Errors
    /// [`Misplaced::Beyond`].
    pub fn moved(&self, by: i64) -> Result<Memory, Misplaced> {
        let mut moved = Memory::default();
        for (at, bytes) in self.parts() {
            let at = i64::from(at)
                .checked_add(by)
                .and_then(|at| u32::try_from(at).ok());
            moved.insert(at.ok_or(Misplaced::Beyond)?, bytes.to_vec())?;
        }
        Ok(moved)
    }

    /// Adds all of another.
    ///
    /// # Errors
    /// [`Misplaced::Overlap`], with nothing changed.
    pub fn merge(&mut self, other: &Memory) -> Result<(), Misplaced> {
        let taken = other
            .parts()
            .find_map(|(at, bytes)| self.first_in(u64::from(at)..end_of(at, bytes)));
        if let Some(taken) = taken {
            return Err(Misplaced::Overlap(taken));
        }
        other
            .parts()
            .try_for_each(|(at, bytes)| self.insert(at, bytes.to_vec()))
    }

    /// Puts this byte into the gaps of a range.
    ///
    /// # Errors
    /// [`Misplaced::Beyond`].
    pub fn fill(&mut self, range: Range<u64>, byte: u8) -> Result<(), Misplaced> {
        for gap in self.gaps(range) {
            let at = u32::try_from(gap.start).map_err(|_| Misplaced::Beyond)?;
            self.insert(at, vec![byte; (gap.end - gap.start) as usize])?;
        }
        Ok(())
    }

    /// Puts bytes in the place of what is there.
    ///
    /// # Errors
    /// [`Misplaced::Beyond`], with nothing changed.
    pub fn put(&mut self, at: u32, bytes: Vec<u8>) -> Result<(), Misplaced> {
        let end = end_of(at, &bytes);
        if end > END {
            return Err(Misplaced::Beyond);
        }
        *self = self.without(u64::from(at)..end);
        self.insert(at, bytes)
    }

    /// A range as one piece, with this byte in its gaps.
    pub fn flat(&self, range: Range<u64>, filler: u8) -> Vec<u8> {
        let len = range.end.saturating_sub(range.start) as usize;
        let mut flat = vec![filler; len];
        for (at, bytes) in self.parts_in(range.clone()) {
            let places = flat.iter_mut().skip((u64::from(at) - range.start) as usize);
            places.zip(bytes).for_each(|(place, byte)| *place = *byte);
        }
        flat
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn memory(parts: &[(u32, &[u8])]) -> Memory {
        let mut memory = Memory::default();
        for (at, bytes) in parts {
            memory.insert(*at, bytes.to_vec()).unwrap();
        }
        memory
    }

    fn shown(memory: &Memory) -> Vec<(u32, &[u8])> {
        memory.parts().collect()
    }

    #[test]
    fn parts_that_adjoin_are_one_in_any_order() {
        let forwards = memory(&[(10, &[1, 2]), (12, &[3]), (13, &[4])]);
        let backwards = memory(&[(13, &[4]), (10, &[1, 2]), (12, &[3])]);
        assert_eq!(shown(&forwards), [(10, &[1, 2, 3, 4][..])]);
        assert_eq!(forwards, backwards);
        assert_eq!((forwards.range(), forwards.len()), (Some(10..14), 4));
    }

    #[test]
    fn no_byte_is_given_twice() {
        let mut it = memory(&[(10, &[1, 2]), (20, &[3])]);
        let before = it.clone();
        for (at, bytes, taken) in [
            (9, &[0, 0][..], 10),
            (11, &[0][..], 11),
            (0, &[0; 30][..], 10),
            (12, &[0; 9][..], 20),
        ] {
            assert_eq!(it.insert(at, bytes.to_vec()), Err(Misplaced::Overlap(taken)));
        }
        let other = memory(&[(0, &[9]), (20, &[9])]);
        assert_eq!(it.merge(&other), Err(Misplaced::Overlap(20)));
        assert_eq!(it, before);
    }

    #[test]
    fn the_last_address_can_be_used_and_none_behind_it() {
        let mut it = memory(&[(u32::MAX, &[7])]);
        assert_eq!(it.range(), Some(END - 1..END));
        assert_eq!(it.insert(u32::MAX - 1, [0; 3].to_vec()), Err(Misplaced::Beyond));
        assert_eq!(it.moved(1), Err(Misplaced::Beyond));
        assert_eq!(it.moved(-i64::from(u32::MAX) - 1), Err(Misplaced::Beyond));
        assert_eq!(shown(&it.moved(-i64::from(u32::MAX)).unwrap()), [(0, &[7][..])]);
        assert_eq!(shown(&it.crop(END - 1..END)), [(u32::MAX, &[7][..])]);
        assert_eq!(it.gaps(END - 3..END).first(), Some(&(END - 3..END - 1)));
    }

    #[test]
    fn ranges_cut_parts() {
        let it = memory(&[(10, &[1, 2, 3]), (20, &[4, 5])]);
        assert_eq!(shown(&it.crop(11..21)), [(11, &[2, 3][..]), (20, &[4][..])]);
        assert_eq!(shown(&it.without(11..21)), [(10, &[1][..]), (21, &[5][..])]);
        assert_eq!(it.gaps(8..24), [8..10, 13..20, 22..24]);
        assert_eq!(it.flat(9..14, 0xEE), [0xEE, 1, 2, 3, 0xEE]);
        assert_eq!(it.crop(13..20), Memory::default());
    }

    #[test]
    fn gaps_are_filled_and_bytes_are_replaced() {
        let mut it = memory(&[(10, &[1, 2]), (14, &[3])]);
        it.fill(9..14, 0xFF).unwrap();
        assert_eq!(shown(&it), [(9, &[0xFF, 1, 2, 0xFF, 0xFF, 3][..])]);
        it.put(11, [8, 8].to_vec()).unwrap();
        assert_eq!(shown(&it), [(9, &[0xFF, 1, 8, 8, 0xFF, 3][..])]);
        let mut last = memory(&[(u32::MAX, &[7])]);
        assert_eq!(last.put(u32::MAX, [0; 2].to_vec()), Err(Misplaced::Beyond));
        last.put(u32::MAX, [8].to_vec()).unwrap();
        assert_eq!(shown(&last), [(u32::MAX, &[8][..])]);
    }
}
