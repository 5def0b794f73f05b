//! Reading messages.
//!
//! Items are read by their heads, in one place: minicbor's functions, one for each type with its own errors, would cost a
//! small bootloader 3 KB more. Where flash is no matter, in what only an updater reads, they are used.

use minicbor::decode::Decoder;

use super::major::{ARRAY, BREAK, BYTES, FALSE, INDEFINITE, MAP, NULL, TAG, TEXT, TRUE, UNSIGNED};
use super::{Key, Text};
use crate::DecodeError;

/// What the value of a key must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A number up to 255.
    Byte,
    /// A number up to 65,535.
    Half,
    /// A number up to 2^32 - 1.
    Number,
    /// True or false; read as the number 1 or 0.
    Flag,
    /// The same, or a byte.
    Switch,
    /// Text.
    Text,
    /// A byte string.
    Bytes,
    /// The same, or the `null` that some clients send for one they lack.
    BytesOrNull,
    /// Anything, to be read later: its encoding.
    Raw,
}

/// The value of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'b> {
    /// There is none.
    Absent,
    Number(u32),
    Text(Text<'b>),
    Bytes(&'b [u8]),
}

impl<'b> Value<'b> {
    pub(crate) fn number(self) -> Option<u32> {
        match self {
            Value::Number(number) => Some(number),
            _ => None,
        }
    }

    /// Of a [`Kind::Byte`].
    pub(crate) fn byte(self) -> Option<u8> {
        self.number().map(|number| number as u8)
    }

    /// Of a [`Kind::Half`].
    pub(crate) fn half(self) -> Option<u16> {
        self.number().map(|number| number as u16)
    }

    /// Of a [`Kind::Flag`] or a [`Kind::Switch`].
    pub(crate) fn flag(self) -> Option<bool> {
        self.number().map(|number| number != 0)
    }

    pub(crate) fn is_set(self) -> bool {
        self.flag() == Some(true)
    }

    /// As it came: for a device.
    pub(crate) fn text(self) -> Option<Text<'b>> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// For an updater, which shows it.
    ///
    /// # Errors
    /// [`DecodeError::Cbor`] where the bytes are no UTF-8.
    pub(crate) fn utf8(self) -> Result<Option<&'b str>, DecodeError> {
        let text = self.text().map(|text| core::str::from_utf8(text.0));
        text.transpose().map_err(|_| DecodeError::Cbor)
    }

    /// Of a byte string, or of a [`Kind::Raw`].
    pub(crate) fn bytes(self) -> Option<&'b [u8]> {
        match self {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
}

/// Reads a packet's payload: the values of the wanted keys, in their order. No payload at all is an empty map:
/// mcumgr-client resets that way.
pub(crate) fn fields<'b>(
    payload: &'b [u8],
    wanted: &[(Key, Kind)],
    values: &mut [Value<'b>],
) -> Result<(), DecodeError> {
    if payload.is_empty() {
        return Ok(());
    }
    entries(&mut Reader::new(payload), wanted, values)
}

/// Reads a map: the values of the wanted keys, in their order.
#[inline(never)]
pub(crate) fn entries<'b>(
    reader: &mut Reader<'b>,
    wanted: &[(Key, Kind)],
    values: &mut [Value<'b>],
) -> Result<(), DecodeError> {
    let mut left = reader.begin(MAP);
    while reader.more(&mut left) {
        // Keys that are no text are somebody else's extension.
        let place = if reader.next() >> 5 == TEXT {
            let name = reader.string(TEXT);
            let mut places = wanted.iter().zip(values.iter_mut());
            places.find(|((key, _), _)| key.text().as_bytes() == name)
        } else {
            reader.skip(MAX_DEPTH);
            None
        };
        match place {
            Some(((_, kind), value)) => reader.read(*kind, value),
            None => reader.skip(MAX_DEPTH),
        }
    }
    reader.verdict()
}

/// Deepest nesting that is skipped over; SMP's own messages need 4.
const MAX_DEPTH: u8 = 8;

/// Reads items one after the other. What is wrong is kept and ends everything: there is one place that looks at it.
#[derive(Clone, Debug)]
pub struct Reader<'b> {
    dec: Decoder<'b>,
    fault: Option<DecodeError>,
    /// The first byte of the last head.
    first: u8,
    /// The number in the last head: absent in one of indefinite length, and where it has more than 32 bits.
    number: Option<u32>,
}

impl<'b> Reader<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Self {
        Reader {
            dec: Decoder::new(bytes),
            fault: None,
            first: 0,
            number: None,
        }
    }

    pub(super) fn verdict(&self) -> Result<(), DecodeError> {
        self.fault.map_or(Ok(()), Err)
    }

    #[inline(never)]
    fn fail(&mut self, fault: DecodeError) {
        self.fault = self.fault.or(Some(fault));
    }

    /// The byte that the next item starts with; at the end of the input one that no item starts with.
    #[inline(never)]
    fn next(&self) -> u8 {
        const RESERVED: u8 = 0xFC;
        self.dec
            .input()
            .get(self.dec.position())
            .copied()
            .unwrap_or(RESERVED)
    }

    /// Reads an item's head. minicbor's functions for that tell apart a dozen ways to fail, with positions and messages,
    /// which a small bootloader would carry in 0.3 KB and never show.
    #[inline(never)]
    fn head(&mut self) {
        let (start, first) = (self.dec.position() + 1, self.next());
        (self.first, self.number) = (first, None);
        let info = first & 0x1F;
        let len = match info {
            // Of indefinite length, or a break.
            INDEFINITE if first >= BYTES << 5 && first >> 5 != TAG => return self.dec.set_position(start),
            0..24 => 0,
            24..28 => 1 << (info - 24),
            _ => return self.fail(DecodeError::Cbor),
        };
        let Some(bytes) = self.dec.input().get(start..start + len) else {
            return self.fail(DecodeError::Cbor);
        };
        let mut value = if len == 0 { u32::from(info) } else { 0 };
        let mut fits = true;
        for &byte in bytes {
            fits &= value >> 24 == 0;
            value = value << 8 | u32::from(byte);
        }
        self.number = fits.then_some(value);
        self.dec.set_position(start + len);
    }

    fn is_indefinite(&self) -> bool {
        self.first & 0x1F == INDEFINITE
    }

    /// Reads the head of an item that must be of this type: its number, or `None` where its length is indefinite.
    #[inline(never)]
    fn begin(&mut self, major: u8) -> Option<u32> {
        self.head();
        if self.first >> 5 != major || self.number.is_none() && !self.is_indefinite() {
            self.fail(DecodeError::Cbor);
        }
        self.number
    }

    pub(super) fn array(&mut self) -> Option<u32> {
        self.begin(ARRAY)
    }

    /// Whether a container of `left` entries (`None`: until a break) goes on.
    #[inline(never)]
    pub(super) fn more(&mut self, left: &mut Option<u32>) -> bool {
        match left {
            _ if self.fault.is_some() => false,
            Some(0) => false,
            Some(n) => {
                *n -= 1;
                true
            }
            None if self.next() == BREAK => {
                self.head();
                false
            }
            None => true,
        }
    }

    fn read(&mut self, kind: Kind, value: &mut Value<'b>) {
        let first = self.next();
        let most = match kind {
            Kind::Text => {
                *value = Value::Text(Text(self.string(TEXT)));
                return;
            }
            Kind::BytesOrNull if first == NULL => {
                self.head();
                *value = Value::Absent;
                return;
            }
            Kind::Bytes | Kind::BytesOrNull => {
                *value = Value::Bytes(self.string(BYTES));
                return;
            }
            Kind::Raw => {
                let start = self.dec.position();
                self.skip(MAX_DEPTH);
                let bytes = self.dec.input().get(start..self.dec.position());
                *value = Value::Bytes(bytes.unwrap_or_default());
                return;
            }
            Kind::Flag | Kind::Switch if first == FALSE || first == TRUE => {
                self.head();
                *value = Value::Number(u32::from(first & 1));
                return;
            }
            Kind::Flag => 0,
            Kind::Byte | Kind::Switch => 0xFF,
            Kind::Half => 0xFFFF,
            Kind::Number => u32::MAX,
        };
        match self.begin(UNSIGNED) {
            Some(number) if number <= most && kind != Kind::Flag => *value = Value::Number(number),
            _ => self.fail(DecodeError::Cbor),
        }
    }

    /// A string of either type. One of indefinite length is taken where it comes in one piece.
    fn string(&mut self, major: u8) -> &'b [u8] {
        let (whole, several) = self.chunks(major);
        if several {
            self.fail(DecodeError::Chunked);
        }
        whole
    }

    /// The first piece of a string that is not empty, and whether there are more.
    #[inline(never)]
    fn chunks(&mut self, major: u8) -> (&'b [u8], bool) {
        let (mut whole, mut several): (&[u8], _) = (&[], false);
        let mut len = self.begin(major);
        let is_chunked = len.is_none();
        while !is_chunked || self.more(&mut None) {
            if is_chunked {
                len = self.begin(major);
            }
            let start = self.dec.position();
            let end = len.and_then(|len| start.checked_add(len as usize));
            let chunk = end.and_then(|end| self.dec.input().get(start..end));
            let Some(chunk) = chunk else {
                self.fail(DecodeError::Cbor);
                break;
            };
            self.dec.set_position(start + chunk.len());
            several |= !whole.is_empty() && !chunk.is_empty();
            if whole.is_empty() {
                whole = chunk;
            }
            if !is_chunked {
                break;
            }
        }
        (whole, several)
    }

    /// Skips one item. minicbor's own `skip` needs an allocator for an indefinite length inside a definite one.
    #[inline(never)]
    fn skip(&mut self, depth: u8) {
        let major = self.next() >> 5;
        if major == TEXT || major == BYTES {
            self.chunks(major);
            return;
        }
        self.head();
        let mut left = match major {
            ARRAY | MAP if self.number.is_some() || self.is_indefinite() => self.number,
            TAG => Some(1),
            ARRAY | MAP => return self.fail(DecodeError::Cbor),
            _ if self.first == BREAK => return self.fail(DecodeError::Cbor),
            _ => return,
        };
        let Some(depth) = depth.checked_sub(1) else {
            return self.fail(DecodeError::Depth);
        };
        while self.more(&mut left) {
            self.skip(depth);
            if major == MAP {
                self.skip(depth);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec;

    use super::*;

    /// Every first byte there is, before all kinds of bytes: the number is minicbor's, and so is where the next item begins.
    #[test]
    fn heads_are_read_as_minicbor_reads_them() {
        for first in 0..=255 {
            for rest in [
                [0; 8],
                [0xFF; 8],
                [0, 0, 0, 0, 1, 2, 3, 4],
                [0, 0, 0, 1, 0, 0, 0, 0],
            ] {
                for len in 0..=8 {
                    let mut bytes = vec![first];
                    bytes.extend_from_slice(&rest[..len]);
                    let mut reader = Reader::new(&bytes);
                    reader.head();
                    let mut plain = bytes.clone();
                    plain[0] &= 0x1F;
                    let mut number = Decoder::new(&plain);
                    let wanted = match (first, number.u64()) {
                        (0x5F | 0x7F | 0x9F | 0xBF | 0xFF, _) => Ok((None, 1)),
                        (_, Ok(value)) => Ok((u32::try_from(value).ok(), number.position())),
                        (_, Err(_)) => Err(DecodeError::Cbor),
                    };
                    let read = reader.verdict().map(|()| (reader.number, reader.dec.position()));
                    assert_eq!(read, wanted, "{bytes:02x?}");
                }
            }
        }
    }
}
