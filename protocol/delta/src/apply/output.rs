//! The target as it comes out, and what lies behind: views of the base and of what has been written.

use super::memory::{Memory, PAGE, Unreadable};
use crate::header::Header;
use crate::view::{self, Run};

/// A branch that reaches over the end of a page: the page's buffer has room for the rest of it.
const OVER: usize = 4;
/// Bytes of the target's view that are kept because their branches are not settled in the page yet.
const RECENT: usize = 16;

/// The end of the target that is not in flash yet.
// The large part last: see `Applier`.
#[repr(C)]
pub(super) struct Output {
    /// Bytes of the target's view that are known.
    pub(super) at: u32,
    /// Where the page belongs.
    pub(super) start: u32,
    len: usize,
    /// The last word of the base's view, and its offset plus 1.
    word: (u32, u32),
    /// Whether branches are absolute in the stream.
    pub(super) thumb: bool,
    recent: [u8; RECENT],
    page: [u8; PAGE + OVER],
}

impl Output {
    pub(super) const EMPTY: Self = Self {
        thumb: false,
        at: 0,
        recent: [0; RECENT],
        page: [0; PAGE + OVER],
        start: 0,
        len: 0,
        word: (0, 0),
    };

    pub(super) fn clear(&mut self) {
        self.at = 0;
        self.start = 0;
        self.len = 0;
        self.word = (0, 0);
    }

    pub(super) fn page(&self) -> &[u8] {
        self.page.get(..self.len.min(PAGE)).unwrap_or_default()
    }

    /// Whether the page is full.
    pub(super) fn full(&self) -> bool {
        self.len >= PAGE
    }

    /// The page has been programmed.
    pub(super) fn next_page(&mut self) {
        let done = self.len.min(PAGE);
        self.start = self.start.saturating_add(done as u32);
        self.len -= done;
        if let Some((page, over)) = self.page.split_at_mut_checked(PAGE) {
            page.iter_mut().zip(over).for_each(|(to, from)| *to = *from);
        }
    }

    /// The byte at a distance before the one that is next, as the matcher sees it; `None` where there is none.
    pub(super) fn behind<M: Memory>(
        &mut self,
        memory: &mut M,
        header: &Header,
        map: &[Run],
        distance: u32,
    ) -> Result<Option<u8>, Unreadable> {
        let base_len = header.base_len;
        let Some(place) = base_len.saturating_add(self.at).checked_sub(distance) else {
            return Ok(None);
        };
        let in_base = place < base_len;
        let offset = if in_base { place } else { place - base_len };
        let (inside, start) = (offset & 3, offset & !3);
        if !in_base && distance as usize <= RECENT {
            let known = distance > 0;
            return Ok(self
                .recent
                .get(offset as usize % RECENT)
                .copied()
                .filter(|_| known));
        }
        let mut word = self.word.1;
        if !in_base || self.word.0 != start + 1 {
            word = self.word(memory, header, map, in_base, start)?;
            if in_base {
                self.word = (start + 1, word);
            }
        }
        Ok(Some((word >> (8 * inside)) as u8))
    }

    /// A word of a view.
    fn word<M: Memory>(
        &self,
        memory: &mut M,
        header: &Header,
        map: &[Run],
        in_base: bool,
        at: u32,
    ) -> Result<u32, Unreadable> {
        // From two bytes before the word to two bytes after it; zero where there is nothing.
        let mut bytes = [0; 8];
        let skip = if at == 0 { 2 } else { 0 };
        let from = at.saturating_sub(2);
        let end = if in_base { header.base_len } else { self.at };
        let count = end.saturating_sub(from).min(8 - skip as u32) as usize;
        let out = bytes.get_mut(skip..skip + count).unwrap_or_default();
        if in_base {
            memory.read_base(from, out)?;
        } else {
            let split = (self.start.saturating_sub(from) as usize).min(out.len());
            let (programmed, held) = out.split_at_mut_checked(split).unwrap_or_default();
            if !programmed.is_empty() {
                memory.read_target(from, programmed)?;
            }
            let start = from.saturating_sub(self.start) as usize;
            let page = self.page.get(start..).unwrap_or_default();
            held.iter_mut().zip(page).for_each(|(to, from)| *to = *from);
        }
        if !self.thumb {
            let [_, _, a, b, c, d, ..] = bytes;
            return Ok(u32::from_le_bytes([a, b, c, d]));
        }
        let mut around = [0; 4];
        for (half, pair) in around.iter_mut().zip(bytes.as_chunks().0) {
            *half = u16::from_le_bytes(*pair);
        }
        Ok(view::word(around, at, in_base.then_some((header, map))))
    }

    /// Takes a byte of the target's view.
    pub(super) fn put(&mut self, byte: u8) {
        if let Some(slot) = self.recent.get_mut(self.at as usize % RECENT) {
            *slot = byte;
        }
        self.at = self.at.saturating_add(1);
        self.settle(false);
    }

    /// Moves what no later byte can change into the page, branches as displacements again; all, at the target's end.
    pub(super) fn settle(&mut self, all: bool) {
        loop {
            let from = self.start.saturating_add(self.len as u32);
            let waiting = self.at.saturating_sub(from);
            let mut word = 0;
            for index in (0..4).rev() {
                let place = from.wrapping_add(index) as usize % RECENT;
                word = word << 8 | u32::from(self.recent.get(place).copied().unwrap_or(0));
            }
            let (first, second) = (word as u16, (word >> 16) as u16);
            let count = if !self.thumb || all && waiting < 4 {
                waiting.min(4)
            } else if waiting < 2 {
                0
            } else if first & 0xf800 != 0xf000 {
                2
            } else if waiting < 4 {
                0
            } else if view::branch(first, second) {
                word = view::joined(view::relative(first, second, from));
                4
            } else {
                2
            };
            if count == 0 {
                return;
            }
            for _ in 0..count {
                if let Some(slot) = self.page.get_mut(self.len) {
                    *slot = word as u8;
                    self.len += 1;
                }
                word >>= 8;
            }
        }
    }
}
