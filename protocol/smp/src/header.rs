//! The header of a packet.

use crate::{DecodeError, EncodeError};

/// Version of the protocol, as the header says it (two bits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// The original: an error is `{rc}`.
    V1,
    /// Zephyr since 3.5: an error of a group is `{err: {group, rc}}`.
    V2,
    /// 2 or 3: to be answered with [`ErrorCode::TooNew`].
    Unknown(u8),
}

impl Version {
    const fn bits(self) -> u8 {
        match self {
            Version::V1 => 0,
            Version::V2 => 1,
            Version::Unknown(bits) => bits & 3,
        }
    }
}

/// What a packet is: a question or its answer, about reading or writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// A read request (0).
    Read,
    /// The answer to a read request (1).
    ReadResponse,
    /// A write request (2).
    Write,
    /// The answer to a write request (3).
    WriteResponse,
}

impl Op {
    /// True for the two kinds that a device answers.
    pub const fn is_request(self) -> bool {
        matches!(self, Op::Read | Op::Write)
    }
}

/// The first 8 bytes of every packet, big-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Version of the protocol; a response repeats the request's.
    pub version: Version,
    /// Request or response, read or write.
    pub op: Op,
    /// Unused by every known peer: 0.
    pub flags: u8,
    /// Bytes of CBOR after the header.
    pub len: u16,
    /// Command group: 0 os, 1 img, 64 and above per-user.
    pub group: u16,
    /// Sequence number; a response repeats the request's.
    pub seq: u8,
    /// Command within the group.
    pub id: u8,
}

impl Header {
    /// Bytes of a header.
    pub const LEN: usize = 8;

    /// Splits a packet into header and payload. Bytes after `len` are left out, as Zephyr does.
    ///
    /// # Errors
    /// [`DecodeError::Short`] where the packet is shorter than it says, [`DecodeError::Op`] for the unused ops.
    pub fn parse(packet: &[u8]) -> Result<(Header, &[u8]), DecodeError> {
        let (header, rest) = Header::split(packet)?;
        let payload = rest.get(..usize::from(header.len)).ok_or(DecodeError::Short)?;
        Ok((header, payload))
    }

    /// Splits a packet, of which only a part may be there, into header and the rest.
    ///
    /// # Errors
    /// [`DecodeError::Short`] where not even the header is there, [`DecodeError::Op`] for the unused ops.
    pub fn split(packet: &[u8]) -> Result<(Header, &[u8]), DecodeError> {
        let (&[first, flags, len_high, len_low, group_high, group_low, seq, id], rest) =
            packet.split_first_chunk().ok_or(DecodeError::Short)?;
        let op = match first & 7 {
            0 => Op::Read,
            1 => Op::ReadResponse,
            2 => Op::Write,
            3 => Op::WriteResponse,
            _ => return Err(DecodeError::Op),
        };
        let version = match first >> 3 & 3 {
            0 => Version::V1,
            1 => Version::V2,
            bits => Version::Unknown(bits),
        };
        let len = u16::from_be_bytes([len_high, len_low]);
        let group = u16::from_be_bytes([group_high, group_low]);
        Ok((
            Header {
                version,
                op,
                flags,
                len,
                group,
                seq,
                id,
            },
            rest,
        ))
    }

    /// The header's bytes.
    pub const fn to_bytes(self) -> [u8; Header::LEN] {
        let op = match self.op {
            Op::Read => 0,
            Op::ReadResponse => 1,
            Op::Write => 2,
            Op::WriteResponse => 3,
        };
        let [len_high, len_low] = self.len.to_be_bytes();
        let [group_high, group_low] = self.group.to_be_bytes();
        let first = self.version.bits() << 3 | op;
        [
            first, self.flags, len_high, len_low, group_high, group_low, self.seq, self.id,
        ]
    }

    /// Writes the header at the start of `buf`.
    ///
    /// # Errors
    /// [`EncodeError::Full`] where `buf` is shorter than a header.
    pub fn write(&self, buf: &mut [u8]) -> Result<(), EncodeError> {
        buf.first_chunk_mut()
            .map(|place| *place = self.to_bytes())
            .ok_or(EncodeError::Full)
    }

    /// The header that answers this one with `payload_len` bytes.
    pub const fn response(&self, payload_len: u16) -> Header {
        let op = match self.op {
            Op::Read | Op::ReadResponse => Op::ReadResponse,
            Op::Write | Op::WriteResponse => Op::WriteResponse,
        };
        Header {
            op,
            flags: 0,
            len: payload_len,
            ..*self
        }
    }
}
