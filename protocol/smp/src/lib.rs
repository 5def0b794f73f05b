//! SMP (mcumgr): header, messages and framings, for both ends of the cable.
//!
//! A packet is an 8-byte [`Header`] and a CBOR map. [`frame`] puts packets on a serial line and takes them off
//! again; [`Request`] and [`Response`] are what they mean. The device decodes requests and encodes responses,
//! the updater does the opposite, with the same types:
//!
//! ```
//! use bootlace_smp::{self as smp, os, Header, Request, Response, Version};
//!
//! let mut wire = [0; 64];
//! let n = smp::encode_request(&mut wire, Version::V2, 7, &Request::Os(os::Request::Params)).unwrap();
//!
//! // On the device:
//! let (header, payload) = Header::parse(&wire[..n]).unwrap();
//! assert_eq!(smp::decode_request(&header, payload), Ok(Request::Os(os::Request::Params)));
//! let mut reply = [0; 64];
//! let params = Response::Os(os::Response::Params { buf_size: 2048, buf_count: 4 });
//! let n = smp::encode_response(&mut reply, &header, &params).unwrap();
//!
//! // Back at the updater:
//! let (header, payload) = Header::parse(&reply[..n]).unwrap();
//! assert_eq!((header.seq, smp::decode_response(&header, payload)), (7, Ok(params)));
//! ```
//!
//! Nothing here allocates, panics on outside bytes, or knows a port or a clock.
#![no_std]
#![forbid(unsafe_code)]

mod cbor;
mod error;

pub mod bootlace;
pub mod frame;
pub mod img;
pub mod os;

pub use cbor::{Item, Iter, Key, List};
pub use error::{DecodeError, EncodeError, ErrorCode, Failure, Fault};

use cbor::Encoder;

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
        let payload = rest.get(..usize::from(len)).ok_or(DecodeError::Short)?;
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
            payload,
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

/// Every request that a device of ours answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Request<'a> {
    /// Group 0: the system.
    Os(os::Request<'a>),
    /// Group 1: images and slots.
    Img(img::Request<'a>),
    /// Group 64: what SMP lacks.
    Bootlace(bootlace::Request<'a>),
}

impl Request<'_> {
    /// Op, group and command of this request.
    pub const fn address(&self) -> (Op, u16, u8) {
        match self {
            Request::Os(request) => request.address(),
            Request::Img(request) => request.address(),
            Request::Bootlace(request) => request.address(),
        }
    }
}

/// Every answer to a [`Request`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Response<'a> {
    /// Group 0: the system.
    Os(os::Response<'a>),
    /// Group 1: images and slots.
    Img(img::Response<'a>),
    /// Group 64: what SMP lacks.
    Bootlace(bootlace::Response<'a>),
    /// The device refused, and says why.
    Failure(Failure<'a>),
}

/// Decodes the payload of a request (device).
///
/// # Errors
/// [`DecodeError::code`] is what to answer.
pub fn decode_request<'a>(header: &Header, payload: &'a [u8]) -> Result<Request<'a>, DecodeError> {
    if let Version::Unknown(_) = header.version {
        return Err(DecodeError::Version);
    }
    match header.group {
        os::GROUP => os::Request::decode(header, payload).map(Request::Os),
        img::GROUP => img::Request::decode(header, payload).map(Request::Img),
        bootlace::GROUP => bootlace::Request::decode(header, payload).map(Request::Bootlace),
        _ => Err(DecodeError::Unsupported),
    }
}

/// Decodes the payload of a response (updater). A refusal is `Ok(Response::Failure)`.
///
/// # Errors
/// What is wrong with the bytes.
pub fn decode_response<'a>(header: &Header, payload: &'a [u8]) -> Result<Response<'a>, DecodeError> {
    if let Some(failure) = Failure::decode(payload)? {
        return Ok(Response::Failure(failure));
    }
    match header.group {
        os::GROUP => os::Response::decode(header, payload).map(Response::Os),
        img::GROUP => img::Response::decode(header, payload).map(Response::Img),
        bootlace::GROUP => bootlace::Response::decode(header, payload).map(Response::Bootlace),
        _ => Err(DecodeError::Unsupported),
    }
}

/// Writes a whole request packet to the start of `buf` and returns its length (updater).
///
/// # Errors
/// [`EncodeError::Full`] where it does not fit.
pub fn encode_request(
    buf: &mut [u8],
    version: Version,
    seq: u8,
    request: &Request<'_>,
) -> Result<usize, EncodeError> {
    let (op, group, id) = request.address();
    let header = Header {
        version,
        op,
        flags: 0,
        len: 0,
        group,
        seq,
        id,
    };
    packet(buf, header, &mut |enc| match request {
        Request::Os(request) => request.encode(enc),
        Request::Img(request) => request.encode(enc),
        Request::Bootlace(request) => request.encode(enc),
    })
}

/// Writes the whole packet that answers `request` to the start of `buf` and returns its length (device).
///
/// # Errors
/// [`EncodeError::Full`] where it does not fit.
pub fn encode_response(
    buf: &mut [u8],
    request: &Header,
    response: &Response<'_>,
) -> Result<usize, EncodeError> {
    packet(buf, request.response(0), &mut |enc| match response {
        Response::Os(response) => response.encode(enc),
        Response::Img(response) => response.encode(enc),
        Response::Bootlace(response) => response.encode(enc),
        Response::Failure(failure) => failure.encode(enc),
    })
}

/// Writes the whole packet that refuses `request` to the start of `buf` and returns its length (device).
///
/// `reason` goes out as `rsn`, where the form of the error has room for one: smpclient takes no other key
/// beside a group's `err`.
///
/// # Errors
/// [`EncodeError::Full`] where it does not fit.
pub fn encode_error(
    buf: &mut [u8],
    request: &Header,
    fault: impl Into<Fault>,
    reason: Option<&str>,
) -> Result<usize, EncodeError> {
    let failure = fault.into().failure(request.version, reason);
    encode_response(buf, request, &Response::Failure(failure))
}

/// Writes header and payload; `len` is filled in when it is known.
fn packet(
    buf: &mut [u8],
    header: Header,
    body: &mut dyn FnMut(&mut Encoder<'_>),
) -> Result<usize, EncodeError> {
    let (head, payload) = buf.split_at_mut_checked(Header::LEN).ok_or(EncodeError::Full)?;
    let mut enc = cbor::encoder(payload);
    body(&mut enc);
    let written = enc.written().ok_or(EncodeError::Full)?;
    let len = u16::try_from(written).map_err(|_| EncodeError::Full)?;
    Header { len, ..header }.write(head)?;
    Ok(Header::LEN + written)
}

#[cfg(test)]
mod tests;
