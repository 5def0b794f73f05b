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
mod framing;

pub use decode::{Decoder, Frame, Stats};
pub use encode::{Encoder, encode};
pub use framing::{Framing, encoded_len};

#[cfg(test)]
mod tests;
