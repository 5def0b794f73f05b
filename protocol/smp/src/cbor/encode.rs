//! Writing messages.

use super::major;
use super::{Key, Text};

/// Writes a message into the caller's bytes: containers, and their entries by key. What does not fit is left out, and told
/// when all is written: no step can fail, so a bootloader links no code for it.
///
/// Of CBOR's heads only those of 1, 2, 3 and 5 bytes are written, in one place: minicbor's encoder, one function for each
/// type and width, would cost a small bootloader 0.4 KB more.
#[derive(Debug)]
pub struct Encoder<'b> {
    rest: &'b mut [u8],
    written: usize,
    full: bool,
}

pub(crate) fn encoder(buf: &mut [u8]) -> Encoder<'_> {
    Encoder {
        rest: buf,
        written: 0,
        full: false,
    }
}

// Once for all messages each, which a bootloader's flash is glad of.
impl Encoder<'_> {
    /// Bytes written; `None` where they did not fit.
    pub fn written(&self) -> Option<usize> {
        (!self.full).then_some(self.written)
    }

    /// Writes bytes as they are.
    #[inline(never)]
    fn raw(&mut self, bytes: &[u8]) {
        match core::mem::take(&mut self.rest).split_at_mut_checked(bytes.len()) {
            Some((place, rest)) if !self.full => {
                // Of equal length, which the compiler can't know: this way it has no panic to link.
                place.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
                self.rest = rest;
                self.written += bytes.len();
            }
            _ => self.full = true,
        }
    }

    /// Writes the head of an item: its type and a number, as short as can be.
    #[inline(never)]
    fn head(&mut self, major: u8, number: u32) {
        let [b1, b2, b3, b4] = number.to_be_bytes();
        let mut head = [0, b1, b2, b3, b4];
        let (start, info) = match number {
            0..24 => (4, number as u8),
            24..=0xFF => (3, 24),
            0x100..=0xFFFF => (2, 25),
            _ => (0, 26),
        };
        if let Some(place) = head.get_mut(start) {
            *place = major << 5 | info;
        }
        self.raw(head.get(start..).unwrap_or_default());
    }

    #[inline(never)]
    fn string(&mut self, major: u8, value: &[u8]) {
        self.head(major, value.len() as u32);
        self.raw(value);
    }

    /// Begins a map. Its length is given, because that is what every peer reads.
    #[inline(never)]
    pub(crate) fn map(&mut self, entries: u8) {
        self.head(major::MAP, u32::from(entries));
    }

    /// A map of unknown length, and its [end](Self::end): only our own updater reads those.
    pub(crate) fn open_map(&mut self) {
        self.raw(&[major::MAP << 5 | major::INDEFINITE]);
    }

    pub(crate) fn end(&mut self) {
        self.raw(&[major::BREAK]);
    }

    /// Begins a list of items, or writes one that is CBOR `already`.
    #[inline(never)]
    pub(crate) fn list(&mut self, key: Key, items: usize, already: &[u8]) {
        self.key(key);
        if already.is_empty() {
            self.head(major::ARRAY, items as u32);
        } else {
            self.raw(already);
        }
    }

    #[inline(never)]
    pub(crate) fn key(&mut self, key: Key) {
        self.string(major::TEXT, key.text().as_bytes());
    }

    #[inline(never)]
    pub(crate) fn number(&mut self, key: Key, value: u32) {
        self.key(key);
        self.head(major::UNSIGNED, value);
    }

    pub(crate) fn integer(&mut self, key: Key, value: i32) {
        self.key(key);
        let sign = value >> 31;
        self.head(
            major::UNSIGNED | (sign as u8 & major::NEGATIVE),
            (value ^ sign) as u32,
        );
    }

    /// Where there is one.
    #[inline(never)]
    pub(crate) fn some_number(&mut self, key: Key, value: Option<u32>) {
        if let Some(value) = value {
            self.number(key, value);
        }
    }

    #[inline(never)]
    pub(crate) fn text(&mut self, key: Key, value: Text) {
        self.key(key);
        self.string(major::TEXT, value.0);
    }

    /// Where there is one.
    #[inline(never)]
    pub(crate) fn some_text(&mut self, key: Key, value: Option<Text>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    #[inline(never)]
    pub(crate) fn bytes(&mut self, key: Key, value: &[u8]) {
        self.key(key);
        self.string(major::BYTES, value);
    }

    /// Where there are any.
    #[inline(never)]
    pub(crate) fn some_bytes(&mut self, key: Key, value: Option<&[u8]>) {
        if let Some(value) = value {
            self.bytes(key, value);
        }
    }

    #[inline(never)]
    pub(crate) fn flag(&mut self, key: Key, value: bool) {
        self.key(key);
        self.raw(&[major::FALSE | u8::from(value)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_minicbor_writes_them() {
        let key = Key::RC;
        let edges = [0, 1, 23, 24, 0xFF, 0x100, 0xFFFF, 0x1_0000, i32::MAX];
        for value in edges.into_iter().chain(edges.map(|value| !value)) {
            let (mut ours, mut theirs) = ([0; 16], [0; 16]);
            let mut enc = encoder(&mut ours);
            enc.integer(key, value);
            let written = enc.written();
            let mut peer = minicbor::Encoder::new(theirs.as_mut_slice());
            let fits = peer.str(key.text()).and_then(|peer| peer.i32(value));
            assert!(fits.is_ok());
            let left = peer.writer().len();
            assert_eq!(written, Some(theirs.len() - left), "{value}");
            assert_eq!(ours, theirs, "{value}");
        }
    }
}
