//! Earlier occurrences of what comes next: binary trees over the base's view and the target, the newest at the root.

use alloc::vec;
use alloc::vec::Vec;

/// A match: how long, and how far back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Match {
    pub(crate) len: u32,
    pub(crate) distance: u32,
}

const NONE: u32 = u32::MAX;

pub(crate) struct Finder<'a> {
    all: &'a [u8],
    /// The newest place of two, three and four bytes.
    two: Vec<u32>,
    three: Vec<u32>,
    four: Vec<u32>,
    /// For each place, the places before and after it in the order of what follows them.
    children: Vec<[u32; 2]>,
    place: usize,
    depth: usize,
    /// Comparing ends here.
    pub(crate) nice: usize,
}

impl<'a> Finder<'a> {
    pub(crate) fn new(all: &'a [u8], depth: usize, nice: usize) -> Self {
        Self {
            all,
            two: vec![NONE; 1 << 16],
            three: vec![NONE; 1 << 16],
            four: vec![NONE; 1 << 18],
            children: vec![[NONE; 2]; all.len()],
            place: 0,
            depth,
            nice,
        }
    }

    /// Goes on by one place, noting what was found for it.
    pub(crate) fn next(&mut self, found: &mut Vec<Match>) {
        found.clear();
        self.advance(Some(found));
    }

    pub(crate) fn skip(&mut self, count: usize) {
        for _ in 0..count {
            self.advance(None);
        }
    }

    fn advance(&mut self, mut found: Option<&mut Vec<Match>>) {
        let place = self.place;
        self.place += 1;
        let rest = &self.all[place..];
        let limit = rest.len().min(self.nice);
        if limit < 4 {
            return;
        }
        let word = u32::from_le_bytes([rest[0], rest[1], rest[2], rest[3]]);
        let now = place as u32;
        let mut longest = 1;
        let mut note = |len: usize, from: u32, longest: &mut usize| {
            if len > *longest {
                *longest = len;
                if let Some(found) = found.as_deref_mut() {
                    found.push(Match {
                        len: len as u32,
                        distance: now - from,
                    });
                }
            }
        };
        let two = core::mem::replace(&mut self.two[(word & 0xffff) as usize], now);
        if two != NONE {
            note(2, two, &mut longest);
        }
        let hash = ((word & 0xff_ffff).wrapping_mul(0x9e37_79b1) >> 16) as usize;
        let three = core::mem::replace(&mut self.three[hash], now);
        if three != NONE && self.all[three as usize..].starts_with(&rest[..3]) {
            note(3, three, &mut longest);
        }
        let hash = (word.wrapping_mul(0x9e37_79b1) >> 14) as usize;
        let mut other = core::mem::replace(&mut self.four[hash], now);
        // Everything on the way down is sorted below the new root: less on the left, more on the right.
        let (mut left, mut right) = ((place, 0), (place, 1));
        let (mut left_len, mut right_len) = (0, 0);
        for _ in 0..self.depth {
            if other == NONE {
                break;
            }
            let from = other as usize;
            let mut len = left_len.min(right_len);
            while len < limit && self.all[from + len] == rest[len] {
                len += 1;
            }
            note(len, other, &mut longest);
            if len == limit {
                let [less, more] = self.children[from];
                self.children[left.0][left.1] = less;
                self.children[right.0][right.1] = more;
                return;
            }
            if self.all[from + len] < rest[len] {
                self.children[left.0][left.1] = other;
                left = (from, 1);
                other = self.children[from][1];
                left_len = len;
            } else {
                self.children[right.0][right.1] = other;
                right = (from, 0);
                other = self.children[from][0];
                right_len = len;
            }
        }
        self.children[left.0][left.1] = NONE;
        self.children[right.0][right.1] = NONE;
    }
}
