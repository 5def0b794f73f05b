//! Writing messages.

use core::convert::Infallible;

use minicbor::encode::Write;

use super::Key;

/// The caller's bytes. What does not fit is left out, and told when all is written: no step can fail, so a bootloader
/// links no code for it.
#[derive(Debug)]
struct Room<'b> {
    rest: &'b mut [u8],
    written: usize,
    full: bool,
}

impl Write for Room<'_> {
    type Error = Infallible;

    #[inline(never)]
    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        match core::mem::take(&mut self.rest).split_at_mut_checked(bytes.len()) {
            Some((place, rest)) if !self.full => {
                // Of equal length, which the compiler can't know: this way it has no panic to link.
                place.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
                self.rest = rest;
                self.written += bytes.len();
            }
            _ => self.full = true,
        }
        Ok(())
    }
}

/// Writes a message: containers, and their entries by key. minicbor's results are not looked at, because the room can't
/// refuse.
#[derive(Debug)]
pub struct Encoder<'b>(minicbor::Encoder<Room<'b>>);

pub(crate) fn encoder(buf: &mut [u8]) -> Encoder<'_> {
    Encoder(minicbor::Encoder::new(Room {
        rest: buf,
        written: 0,
        full: false,
    }))
}

// Once for all messages each, which a bootloader's flash is glad of.
impl Encoder<'_> {
    /// Bytes written; `None` where they did not fit.
    pub(crate) fn written(&self) -> Option<usize> {
        let room = self.0.writer();
        (!room.full).then_some(room.written)
    }

    /// Begins a map. Its length is given, because that is what every peer reads.
    #[inline(never)]
    pub(crate) fn map(&mut self, entries: u8) {
        let _ = self.0.map(u64::from(entries));
    }

    /// A map of unknown length, and its [end](Self::end): only our own updater reads those.
    pub(crate) fn open_map(&mut self) {
        let _ = self.0.begin_map();
    }

    pub(crate) fn end(&mut self) {
        let _ = self.0.end();
    }

    /// Begins a list of items, or writes one that is CBOR `already`.
    #[inline(never)]
    pub(crate) fn list(&mut self, key: Key, items: usize, already: &[u8]) {
        self.key(key);
        if already.is_empty() {
            let _ = self.0.array(items as u64);
        } else {
            let Ok(()) = self.0.writer_mut().write_all(already);
        }
    }

    #[inline(never)]
    pub(crate) fn key(&mut self, key: Key) {
        let _ = self.0.str(key.text());
    }

    #[inline(never)]
    pub(crate) fn number(&mut self, key: Key, value: u32) {
        self.key(key);
        let _ = self.0.u32(value);
    }

    pub(crate) fn integer(&mut self, key: Key, value: i32) {
        self.key(key);
        let _ = self.0.i32(value);
    }

    /// Where there is one.
    #[inline(never)]
    pub(crate) fn some_number(&mut self, key: Key, value: Option<u32>) {
        if let Some(value) = value {
            self.number(key, value);
        }
    }

    #[inline(never)]
    pub(crate) fn text(&mut self, key: Key, value: &str) {
        self.key(key);
        let _ = self.0.str(value);
    }

    /// Where there is one.
    #[inline(never)]
    pub(crate) fn some_text(&mut self, key: Key, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    #[inline(never)]
    pub(crate) fn bytes(&mut self, key: Key, value: &[u8]) {
        self.key(key);
        let _ = self.0.bytes(value);
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
        let _ = self.0.bool(value);
    }
}
