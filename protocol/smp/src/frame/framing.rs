//! The framings, and what they have in common.

/// Bytes a console line carries, before base64: 124 characters of base64 in a line of 127 bytes.
pub(super) const LINE_BYTES: usize = 93;

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
#[inline(never)]
pub(super) const fn crc16(crc: u16, byte: u8) -> u16 {
    crc16_inline(crc, byte)
}

/// The same, for the one loop that most bytes of an upload go through.
#[inline(always)]
pub(super) const fn crc16_inline(crc: u16, byte: u8) -> u16 {
    let mut x = (crc >> 8) ^ byte as u16;
    x ^= x >> 4;
    (crc << 8) ^ (x << 12) ^ (x << 5) ^ x
}
