//! Reading messages.
//!
//! minicbor reads the number at the head of every item, in one place; its other functions, each with its own errors,
//! would cost a small bootloader 3 KB more.

use minicbor::decode::Decoder;

use super::Key;
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
    Text(&'b str),
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

    pub(crate) fn text(self) -> Option<&'b str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
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
pub(crate) fn fields<'b, const N: usize>(
    payload: &'b [u8],
    wanted: &[(Key, Kind); N],
) -> Result<[Value<'b>; N], DecodeError> {
    let mut values = [Value::Absent; N];
    if !payload.is_empty() {
        map(&mut Decoder::new(payload), wanted, &mut values)?;
    }
    Ok(values)
}

/// Reads a map: the values of the wanted keys, in their order.
pub(crate) fn entries<'b, const N: usize>(
    dec: &mut Decoder<'b>,
    wanted: &[(Key, Kind); N],
) -> Result<[Value<'b>; N], DecodeError> {
    let mut values = [Value::Absent; N];
    map(dec, wanted, &mut values)?;
    Ok(values)
}

/// Deepest nesting that is skipped over; SMP's own messages need 4.
const MAX_DEPTH: u8 = 8;

// Major types, by RFC 8949.
const UNSIGNED: u8 = 0;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;
/// The first byte of false and true.
const FALSE: u8 = 0xF4;
const TRUE: u8 = 0xF5;
const NULL: u8 = 0xF6;
const BREAK: u8 = 0xFF;

#[inline(never)]
fn map<'b>(
    dec: &mut Decoder<'b>,
    wanted: &[(Key, Kind)],
    values: &mut [Value<'b>],
) -> Result<(), DecodeError> {
    let mut left = begin(dec, MAP)?;
    while more(dec, &mut left) {
        // Keys that are no text are somebody else's extension.
        let place = if next(dec) >> 5 == TEXT {
            let name = text(dec)?;
            let mut places = wanted.iter().zip(values.iter_mut());
            places.find(|((key, _), _)| key.text() == name)
        } else {
            skip(dec, MAX_DEPTH)?;
            None
        };
        match place {
            Some(((_, kind), value)) => *value = read(dec, *kind)?,
            None => skip(dec, MAX_DEPTH)?,
        }
    }
    Ok(())
}

fn read<'b>(dec: &mut Decoder<'b>, kind: Kind) -> Result<Value<'b>, DecodeError> {
    let first = next(dec);
    let most = match kind {
        Kind::Text => return text(dec).map(Value::Text),
        Kind::BytesOrNull if first == NULL => return skip(dec, 0).map(|()| Value::Absent),
        Kind::Bytes | Kind::BytesOrNull => return bytes(dec).map(Value::Bytes),
        Kind::Raw => return raw(dec).map(Value::Bytes),
        Kind::Flag | Kind::Switch if first == FALSE || first == TRUE => {
            return skip(dec, 0).map(|()| Value::Number(u32::from(first & 1)));
        }
        Kind::Flag => return Err(DecodeError::Cbor),
        Kind::Byte | Kind::Switch => 0xFF,
        Kind::Half => 0xFFFF,
        Kind::Number => u32::MAX,
    };
    let number = begin(dec, UNSIGNED)?.filter(|&number| number <= most);
    number.map(Value::Number).ok_or(DecodeError::Cbor)
}

/// The byte that the next item starts with; at the end of the input one that no item starts with.
fn next(dec: &Decoder<'_>) -> u8 {
    const RESERVED: u8 = 0xFC;
    dec.input().get(dec.position()).copied().unwrap_or(RESERVED)
}

/// Reads an item's head: its first byte and, unless that announces an indefinite length or is a break, its number,
/// where that is below 2^32.
#[inline(never)]
fn head(dec: &mut Decoder<'_>) -> Result<(u8, Option<u32>), DecodeError> {
    let (start, first) = (dec.position(), next(dec));
    if matches!(first, 0x5F | 0x7F | 0x9F | 0xBF | BREAK) {
        dec.set_position(start + 1);
        return Ok((first, None));
    }
    // The number is encoded alike in every type: read as if it were a plain one.
    let mut plain = [0; 9];
    let rest = dec.input().get(start..).unwrap_or_default();
    let len = rest.len().min(plain.len());
    plain.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    plain[0] = first & 0x1F;
    let mut number = Decoder::new(plain.get(..len).unwrap_or_default());
    let value = number.u64()?;
    dec.set_position(start + number.position());
    Ok((first, u32::try_from(value).ok()))
}

/// Reads the head of an item that must be of this type: its number, or `None` where its length is indefinite.
pub(super) fn begin(dec: &mut Decoder<'_>, major: u8) -> Result<Option<u32>, DecodeError> {
    match head(dec)? {
        (first, number) if first >> 5 == major && (number.is_some() || first & 0x1F == 0x1F) => Ok(number),
        _ => Err(DecodeError::Cbor),
    }
}

pub(super) fn array(dec: &mut Decoder<'_>) -> Result<Option<u32>, DecodeError> {
    begin(dec, ARRAY)
}

/// Whether a container of `left` entries (`None`: until a break) goes on.
pub(super) fn more(dec: &mut Decoder<'_>, left: &mut Option<u32>) -> bool {
    match left {
        Some(0) => false,
        Some(n) => {
            *n -= 1;
            true
        }
        None if next(dec) == BREAK => {
            dec.set_position(dec.position() + 1);
            false
        }
        None => true,
    }
}

/// A string of either type. One of indefinite length is taken where it comes in one piece; `None` where it does not.
#[inline(never)]
fn string<'b>(dec: &mut Decoder<'b>, major: u8) -> Result<Option<&'b [u8]>, DecodeError> {
    let (mut whole, mut several): (&[u8], _) = (&[], false);
    let mut len = begin(dec, major)?;
    let is_chunked = len.is_none();
    // The one chunk of a definite length, or those until the break.
    while !is_chunked || more(dec, &mut None) {
        if is_chunked {
            len = begin(dec, major)?;
        }
        let start = dec.position();
        let end = len
            .and_then(|len| start.checked_add(len as usize))
            .ok_or(DecodeError::Cbor)?;
        let chunk = dec.input().get(start..end).ok_or(DecodeError::Cbor)?;
        if major == TEXT {
            core::str::from_utf8(chunk).map_err(|_| DecodeError::Cbor)?;
        }
        dec.set_position(end);
        several |= !whole.is_empty() && !chunk.is_empty();
        if whole.is_empty() {
            whole = chunk;
        }
        if !is_chunked {
            break;
        }
    }
    Ok((!several).then_some(whole))
}

fn bytes<'b>(dec: &mut Decoder<'b>) -> Result<&'b [u8], DecodeError> {
    string(dec, BYTES)?.ok_or(DecodeError::Chunked)
}

fn text<'b>(dec: &mut Decoder<'b>) -> Result<&'b str, DecodeError> {
    let text = string(dec, TEXT)?.ok_or(DecodeError::Chunked)?;
    core::str::from_utf8(text).map_err(|_| DecodeError::Cbor)
}

/// The encoding of one item.
fn raw<'b>(dec: &mut Decoder<'b>) -> Result<&'b [u8], DecodeError> {
    let start = dec.position();
    skip(dec, MAX_DEPTH)?;
    dec.input().get(start..dec.position()).ok_or(DecodeError::Cbor)
}

/// Skips one item. minicbor's own `skip` needs an allocator for an indefinite length inside a definite one.
fn skip(dec: &mut Decoder<'_>, depth: u8) -> Result<(), DecodeError> {
    let major = next(dec) >> 5;
    if major == TEXT || major == BYTES {
        return string(dec, major).map(|_| ());
    }
    let (first, number) = head(dec)?;
    let mut left = match major {
        ARRAY | MAP if number.is_none() && first & 0x1F != 0x1F => return Err(DecodeError::Cbor),
        ARRAY | MAP => number,
        TAG => Some(1),
        _ if first == BREAK => return Err(DecodeError::Cbor),
        _ => return Ok(()),
    };
    let depth = depth.checked_sub(1).ok_or(DecodeError::Depth)?;
    while more(dec, &mut left) {
        skip(dec, depth)?;
        if major == MAP {
            skip(dec, depth)?;
        }
    }
    Ok(())
}
