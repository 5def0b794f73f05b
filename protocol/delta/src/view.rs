//! How an image looks to the matcher: branches as absolute targets; in the base, branches and pointers moved to where
//! the target has what they point to. All of it is local: four halfwords give two, so a board views flash word by word.

use crate::header::Header;

/// The start of the RAM whose pointers are moved: Arm's architecture puts it there on every Cortex-M.
pub(crate) const RAM: u32 = 0x2000_0000;
/// Keys of the map: offsets into the base below this, offsets into RAM above.
pub(crate) const RAM_KEY: u32 = 0x80_0000;

/// By how much the part of the base that begins at `key` has moved. Six bytes, for the sake of small chips.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Run {
    key: [u8; 3],
    shift: [u8; 3],
}

impl Run {
    pub(crate) const ZERO: Self = Self {
        key: [0; 3],
        shift: [0; 3],
    };

    pub(crate) fn new(key: u32, shift: i32) -> Self {
        let [a, b, c, _] = key.to_le_bytes();
        let [d, e, f, _] = shift.to_le_bytes();
        Self {
            key: [a, b, c],
            shift: [d, e, f],
        }
    }

    pub(crate) fn key(self) -> u32 {
        let [a, b, c] = self.key;
        u32::from_le_bytes([a, b, c, 0])
    }

    pub(crate) fn shift(self) -> i32 {
        let [a, b, c] = self.shift;
        i32::from_le_bytes([0, a, b, c]) >> 8
    }
}

/// The shift that holds at a key.
#[cfg_attr(not(feature = "make"), inline(never))]
pub(crate) fn shift(map: &[Run], key: u32) -> i32 {
    // By halves: what the library offers for this is a third larger.
    let (mut low, mut high) = (0, map.len());
    let mut shift = 0;
    while low < high {
        let middle = (low + high) / 2;
        match map.get(middle) {
            Some(run) if run.key() <= key => {
                // RAM does not follow the last run of flash.
                let same = run.key() & RAM_KEY == key & RAM_KEY;
                shift = if same { run.shift() } else { 0 };
                low = middle + 1;
            }
            _ => high = middle,
        }
    }
    shift
}

/// Whether two halfwords are BL or B.W with a displacement below 4 MB. No halfword can be both a first and a second.
#[inline]
pub(crate) fn branch(first: u16, second: u16) -> bool {
    first & 0xf800 == 0xf000 && matches!(second & 0xf800, 0xf800 | 0xb800)
}

/// The 22 bits of a branch: its displacement, or in a view its target, in halfwords.
#[inline]
pub(crate) fn field(first: u16, second: u16) -> u32 {
    u32::from(first & 0x7ff) << 11 | u32::from(second & 0x7ff)
}

#[inline]
pub(crate) fn with_field(second: u16, field: u32) -> [u16; 2] {
    [
        0xf000 | (field >> 11 & 0x7ff) as u16,
        second & 0xf800 | (field & 0x7ff) as u16,
    ]
}

/// A branch at `at` with its displacement in place of its target.
#[inline]
pub(crate) fn relative(first: u16, second: u16, at: u32) -> [u16; 2] {
    with_field(
        second,
        field(first, second).wrapping_sub((at.wrapping_add(4)) >> 1),
    )
}

/// Two halfwords of an image with absolute branches, those in the middle of four, of which the second is at `at`; and
/// whether there was a branch. `moved` is applied to branch targets, in bytes.
#[inline]
fn halves(mut around: [u16; 4], at: u32, moved: impl Fn(u32) -> u32) -> ([u16; 2], bool) {
    let mut touched = false;
    let mut place = at.wrapping_add(2);
    // From before the word; no halfword belongs to two branches.
    for index in 0..3 {
        if let Some([first, second]) = around.get_mut(index..index + 2)
            && branch(*first, *second)
        {
            let target = (field(*first, *second) << 1).wrapping_add(place) & 0x7f_ffff;
            [*first, *second] = with_field(*second, moved(target) >> 1);
            touched = true;
        }
        place = place.wrapping_add(2);
    }
    let [_, this, next, _] = around;
    ([this, next], touched)
}

/// Two halfwords as a word.
pub(crate) fn joined([low, high]: [u16; 2]) -> u32 {
    u32::from(high) << 16 | u32::from(low)
}

/// The word at `at` (a multiple of 4), with branches to where `moved` says.
#[cfg(feature = "make")]
pub(crate) fn word_moved(around: [u16; 4], at: u32, moved: impl Fn(u32) -> u32) -> u32 {
    joined(halves(around, at, moved).0)
}

/// The word at `at` (a multiple of 4) of the base, moved; of the target where there is no base. Halfwords outside of
/// the image are zero.
pub(crate) fn word(around: [u16; 4], at: u32, base: Option<(&Header, &[Run])>) -> u32 {
    let moved = |target: u32| match base {
        Some((header, map)) if target < header.base_len => target.wrapping_add_signed(shift(map, target)),
        _ => target,
    };
    let (out, touched) = halves(around, at, moved);
    let word = joined(out);
    let Some((header, map)) = base else {
        return word;
    };
    if touched || at.saturating_add(4) > header.base_len {
        return word;
    }
    let offset = word.wrapping_sub(header.base_address);
    let ram = word.wrapping_sub(RAM);
    let (key, relinked) = if offset < header.base_len {
        (
            offset & !1,
            header.target_address.wrapping_sub(header.base_address),
        )
    } else if ram < header.ram {
        (RAM_KEY | ram, 0)
    } else {
        return word;
    };
    word.wrapping_add(relinked).wrapping_add_signed(shift(map, key))
}

/// Where the base has what the target has at `at`, by the map: the shift of the first run that leads there.
pub(crate) fn proposal(map: &[Run], at: u32, base_len: u32) -> Option<i32> {
    let (mut start, mut shift) = (0, 0);
    let leads = |start: u32, end: u32, shift: i32| {
        let source = at.wrapping_sub(shift as u32);
        source >= start && source < end
    };
    for run in map {
        let flash = run.key() < RAM_KEY;
        if leads(
            start,
            if flash { run.key().min(base_len) } else { base_len },
            shift,
        ) {
            return Some(shift);
        }
        if !flash {
            return None;
        }
        (start, shift) = (run.key(), run.shift());
    }
    leads(start, base_len, shift).then_some(shift)
}
