//! Lists in messages.

use core::marker::PhantomData;

use super::decode::{Reader, Value};
use super::{Encoder, Key};
use crate::DecodeError;

/// What a [`List`] holds.
pub trait Item<'a>: Copy {
    /// Reads one.
    #[doc(hidden)]
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError>;
    /// Writes one.
    #[doc(hidden)]
    fn encode(&self, enc: &mut Encoder<'_>);
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
                reader: Reader::new(&[]),
                left: Some(0),
                kind: PhantomData,
            },
            Repr::Cbor(bytes) => {
                let mut reader = Reader::new(bytes);
                let left = reader.array();
                Iter {
                    items: [].iter(),
                    reader,
                    left,
                    kind: PhantomData,
                }
            }
        }
    }

    /// The list that is the value of a key, of [`Kind::Raw`](super::Kind::Raw), if there is one.
    pub(crate) fn decode(value: Value<'a>) -> Result<Option<Self>, DecodeError> {
        let Some(bytes) = value.bytes() else {
            return Ok(None);
        };
        let mut reader = Reader::new(bytes);
        let mut left = reader.array();
        while reader.more(&mut left) {
            T::decode(&mut reader)?;
        }
        reader.verdict()?;
        Ok(Some(List(Repr::Cbor(bytes))))
    }

    pub(crate) fn encode(&self, enc: &mut Encoder<'_>, key: Key) {
        match self.0 {
            Repr::Slice(items) => {
                enc.list(key, items.len(), &[]);
                items.iter().for_each(|item| item.encode(enc));
            }
            // As it came: a device, which only makes lists, then links no code that reads them.
            Repr::Cbor(bytes) => enc.list(key, 0, bytes),
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
    reader: Reader<'a>,
    left: Option<u32>,
    kind: PhantomData<T>,
}

impl<'a, T: Item<'a>> Iterator for Iter<'a, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if let Some(item) = self.items.next() {
            return Some(*item);
        }
        // The bytes were read through before: an error here only ends the list.
        if self.reader.more(&mut self.left) {
            T::decode(&mut self.reader).ok()
        } else {
            None
        }
    }
}
