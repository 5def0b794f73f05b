//! Packets on a serial line.
//!
//! | framing | a frame | starts with |
//! |---|---|---|
//! | console | `06 09` or `04 14`, base64 of at most 93 bytes, `\n`; the bytes: length, packet, CRC16 | `06` |
//! | COBS | COBS of packet and CRC16, then `00` | `01` or `02`, never followed by `00` |
//! | raw | the packet, nothing else | `01`, `02`, `03`, or `08` to `0B`, then `00` |
//!
//! A COBS frame starts with the distance to its first zero: the header's flags are zero in every known peer, so
//! that is 2, or 1 where the first byte of the header is 0 (a v1 read). Since a COBS frame has no zero inside,
//! the second byte tells it from a raw packet. Only a raw v1 read can't be told from stray delimiters: it is not
//! taken. Anything else between frames (a boot log, noise) is skipped.

mod decode;
mod encode;

pub use decode::{Decoder, Frame, Stats};
pub use encode::{Encoder, encode};

/// Bytes a console line carries, before base64: 124 characters of base64 in a line of 127 bytes.
const LINE_BYTES: usize = 93;

/// How packets are put on the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Framing {
    /// SMP over console: base64 in lines, with a CRC. Every serial peer reads it.
    Console,
    /// COBS with a CRC: 0.4 % overhead in place of 37 %.
    Cobs,
    /// Bare packets: only where the line never loses a byte.
    Raw,
}

/// The most bytes that a packet of `len` bytes becomes on the line.
pub const fn encoded_len(framing: Framing, len: usize) -> usize {
    match framing {
        Framing::Console => {
            let stream = len.saturating_add(4);
            let lines = stream.div_ceil(LINE_BYTES);
            stream
                .div_ceil(3)
                .saturating_mul(4)
                .saturating_add(lines.saturating_mul(3))
        }
        Framing::Cobs => {
            let stream = len.saturating_add(2);
            stream.saturating_add(stream / 254).saturating_add(2)
        }
        Framing::Raw => len,
    }
}

/// CRC-16/XMODEM: polynomial 0x1021, from 0, not reflected. Over data and its own CRC it is 0.
///
/// No table: the eight steps of a byte folded into shifts, which is smaller than a crate's table and as fast as
/// any serial line.
const fn crc16(crc: u16, byte: u8) -> u16 {
    let mut x = (crc >> 8) ^ byte as u16;
    x ^= x >> 4;
    (crc << 8) ^ (x << 12) ^ (x << 5) ^ x
}

#[cfg(test)]
mod tests;
