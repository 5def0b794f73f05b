//! The little of CBOR that SMP needs, over minicbor: maps with text keys, in any order, of either length form.

use core::convert::Infallible;
use core::marker::PhantomData;

use minicbor::data::Type;
use minicbor::decode::Decoder;
use minicbor::encode::Write;

use crate::{DecodeError, EncodeError};

/// Writes into the caller's bytes.
pub(crate) type Encoder<'b> = minicbor::Encoder<Room<'b>>;

/// The caller's bytes. What does not fit is left out, and told when all is written: no step can fail, so a bootloader
/// links no code for it.
#[derive(Debug)]
pub struct Room<'b> {
    rest: &'b mut [u8],
    written: usize,
    full: bool,
}

impl Room<'_> {
    /// Bytes written; `None` where they did not fit.
    pub(crate) const fn written(&self) -> Option<usize> {
        if self.full { None } else { Some(self.written) }
    }
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

/// Writes an entry of a map; like its brothers below once for all messages, which a bootloader's flash is glad of.
#[inline(never)]
pub(crate) fn put_u32(enc: &mut Encoder<'_>, key: &str, value: u32) -> Result<(), EncodeError> {
    enc.str(key)?.u32(value)?;
    Ok(())
}

#[inline(never)]
pub(crate) fn put_str(enc: &mut Encoder<'_>, key: &str, value: &str) -> Result<(), EncodeError> {
    enc.str(key)?.str(value)?;
    Ok(())
}

#[inline(never)]
pub(crate) fn put_bytes(enc: &mut Encoder<'_>, key: &str, value: &[u8]) -> Result<(), EncodeError> {
    enc.str(key)?.bytes(value)?;
    Ok(())
}

#[inline(never)]
pub(crate) fn put_bool(enc: &mut Encoder<'_>, key: &str, value: bool) -> Result<(), EncodeError> {
    enc.str(key)?.bool(value)?;
    Ok(())
}

/// Begins a map, or an array of maps.
#[inline(never)]
pub(crate) fn begin_map(enc: &mut Encoder<'_>, entries: u64) -> Result<(), EncodeError> {
    enc.map(entries)?;
    Ok(())
}

#[inline(never)]
pub(crate) fn begin_array(enc: &mut Encoder<'_>, items: u64) -> Result<(), EncodeError> {
    enc.array(items)?;
    Ok(())
}

#[inline(never)]
pub(crate) fn key(enc: &mut Encoder<'_>, key: &str) -> Result<(), EncodeError> {
    enc.str(key)?;
    Ok(())
}

/// Deepest nesting that is skipped over; SMP's own messages need 4.
const MAX_DEPTH: u8 = 8;

pub(crate) fn encoder(buf: &mut [u8]) -> Encoder<'_> {
    minicbor::Encoder::new(Room {
        rest: buf,
        written: 0,
        full: false,
    })
}

/// Counts the entries of a map before it is begun: a definite length is what every peer reads.
pub(crate) struct Fields(pub(crate) u64);

impl Fields {
    pub(crate) fn new() -> Self {
        Fields(0)
    }

    pub(crate) fn count(&mut self, present: bool) -> &mut Self {
        self.0 += u64::from(present);
        self
    }

    pub(crate) fn begin(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        begin_map(enc, self.0)
    }
}

/// What a map's reader does with an entry: `false` where the key is not its own, to have the value skipped.
pub(crate) type OnEntry<'f, 'b> = dyn FnMut(&'b str, &mut Decoder<'b>) -> Result<bool, DecodeError> + 'f;

/// Reads a packet's payload. No payload at all is an empty map: mcumgr-client resets that way.
pub(crate) fn payload<'b>(payload: &'b [u8], entry: &mut OnEntry<'_, 'b>) -> Result<(), DecodeError> {
    if payload.is_empty() {
        return Ok(());
    }
    map(&mut Decoder::new(payload), entry)
}

/// Reads a map, entry by entry.
pub(crate) fn map<'b>(dec: &mut Decoder<'b>, entry: &mut OnEntry<'_, 'b>) -> Result<(), DecodeError> {
    let mut left = dec.map()?;
    while more(dec, &mut left)? {
        // Keys that are no text are somebody else's extension.
        let known = match dec.datatype()? {
            Type::String | Type::StringIndef => {
                let key = text(dec)?;
                entry(key, dec)?
            }
            _ => {
                skip(dec, MAX_DEPTH)?;
                false
            }
        };
        if !known {
            skip(dec, MAX_DEPTH)?;
        }
    }
    Ok(())
}

/// Whether a map or an array of `left` entries (`None`: until a break) goes on.
fn more(dec: &mut Decoder<'_>, left: &mut Option<u64>) -> Result<bool, DecodeError> {
    match left {
        Some(0) => Ok(false),
        Some(n) => {
            *n -= 1;
            Ok(true)
        }
        None if dec.datatype()? == Type::Break => {
            dec.set_position(dec.position().saturating_add(1));
            Ok(false)
        }
        None => Ok(true),
    }
}

/// A text string. One of indefinite length is taken where it comes in one piece.
pub(crate) fn text<'b>(dec: &mut Decoder<'b>) -> Result<&'b str, DecodeError> {
    if dec.datatype()? != Type::StringIndef {
        return Ok(dec.str()?);
    }
    let mut whole = "";
    for chunk in dec.str_iter()? {
        match (chunk?, whole) {
            ("", _) => {}
            (chunk, "") => whole = chunk,
            _ => return Err(DecodeError::Chunked),
        }
    }
    Ok(whole)
}

/// A byte string. One of indefinite length is taken where it comes in one piece.
pub(crate) fn bytes<'b>(dec: &mut Decoder<'b>) -> Result<&'b [u8], DecodeError> {
    if dec.datatype()? != Type::BytesIndef {
        return Ok(dec.bytes()?);
    }
    let mut whole: &[u8] = &[];
    for chunk in dec.bytes_iter()? {
        let chunk = chunk?;
        if !chunk.is_empty() {
            if !whole.is_empty() {
                return Err(DecodeError::Chunked);
            }
            whole = chunk;
        }
    }
    Ok(whole)
}

/// Skips one value. minicbor's own `skip` needs an allocator for an indefinite length inside a definite one.
fn skip(dec: &mut Decoder<'_>, depth: u8) -> Result<(), DecodeError> {
    let (mut left, keys) = match dec.datatype()? {
        Type::Array | Type::ArrayIndef => (dec.array()?, false),
        Type::Map | Type::MapIndef => (dec.map()?, true),
        Type::Tag => {
            dec.tag()?;
            (Some(1), false)
        }
        Type::Break => return Err(DecodeError::Cbor),
        _ => return Ok(dec.skip()?),
    };
    let depth = depth.checked_sub(1).ok_or(DecodeError::Depth)?;
    while more(dec, &mut left)? {
        skip(dec, depth)?;
        if keys {
            skip(dec, depth)?;
        }
    }
    Ok(())
}

/// What a [`List`] holds.
pub trait Item<'a>: Copy {
    /// Reads one.
    #[doc(hidden)]
    fn decode(dec: &mut Decoder<'a>) -> Result<Self, DecodeError>;
    /// Writes one.
    #[doc(hidden)]
    fn encode(&self, enc: &mut minicbor::Encoder<Room<'_>>) -> Result<(), EncodeError>;
}

/// A list in a message: a slice where it is made, encoded bytes where it was received. Neither needs memory.
#[derive(Clone, Copy, Debug)]
pub struct List<'a, T>(Repr<'a, T>);

#[derive(Clone, Copy, Debug)]
enum Repr<'a, T> {
    Slice(&'a [T]),
    /// An array that has been read through once.
    Cbor(&'a [u8]),
}

impl<'a, T> From<&'a [T]> for List<'a, T> {
    fn from(items: &'a [T]) -> Self {
        List(Repr::Slice(items))
    }
}

impl<T> Default for List<'_, T> {
    fn default() -> Self {
        List(Repr::Slice(&[]))
    }
}

impl<'a, T: Item<'a> + 'a> List<'a, T> {
    /// The items, in order.
    pub fn iter(&self) -> Iter<'a, T> {
        match self.0 {
            Repr::Slice(items) => Iter {
                items: items.iter(),
                dec: Decoder::new(&[]),
                left: Some(0),
                kind: PhantomData,
            },
            Repr::Cbor(bytes) => {
                let mut dec = Decoder::new(bytes);
                let left = dec.array().unwrap_or(Some(0));
                Iter {
                    items: [].iter(),
                    dec,
                    left,
                    kind: PhantomData,
                }
            }
        }
    }

    pub(crate) fn decode(dec: &mut Decoder<'a>) -> Result<Self, DecodeError> {
        let start = dec.position();
        let mut left = dec.array()?;
        while more(dec, &mut left)? {
            T::decode(dec)?;
        }
        let bytes = dec.input().get(start..dec.position()).ok_or(DecodeError::Cbor)?;
        Ok(List(Repr::Cbor(bytes)))
    }

    pub(crate) fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        match self.0 {
            Repr::Slice(items) => {
                begin_array(enc, items.len() as u64)?;
                items.iter().try_for_each(|item| item.encode(enc))
            }
            // As it came: a device, which only makes lists, then links no code that reads them.
            Repr::Cbor(bytes) => {
                let Ok(()) = enc.writer_mut().write_all(bytes);
                Ok(())
            }
        }
    }
}

impl<'a, T: Item<'a> + PartialEq + 'a> PartialEq for List<'a, T> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

/// Items of a [`List`].
#[derive(Clone, Debug)]
pub struct Iter<'a, T> {
    items: core::slice::Iter<'a, T>,
    dec: Decoder<'a>,
    left: Option<u64>,
    kind: PhantomData<T>,
}

impl<'a, T: Item<'a>> Iterator for Iter<'a, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if let Some(item) = self.items.next() {
            return Some(*item);
        }
        // The bytes were read through before: an error here only ends the list.
        match more(&mut self.dec, &mut self.left) {
            Ok(true) => T::decode(&mut self.dec).ok(),
            _ => None,
        }
    }
}
