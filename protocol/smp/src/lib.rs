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

mod arguments;
mod cbor;
mod codes;
mod error;
mod failure;
mod header;

pub mod bootlace;
pub mod frame;
pub mod img;
pub mod os;
pub mod usb;

pub use arguments::{Arguments, Command};
pub use cbor::{Encoder, Item, Iter, Key, List, Text};
pub use codes::ErrorCode;
pub use error::{DecodeError, EncodeError};
pub use failure::{Failure, Fault};
pub use header::{Header, Op, Version};

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
    let mut arguments = Arguments::new();
    Ok(match arguments.read(header, payload)? {
        Command::Echo => Request::Os(os::Request::Echo(arguments.echo())),
        Command::Reset => Request::Os(os::Request::Reset {
            force: arguments.force(),
            boot_mode: arguments.boot_mode(),
        }),
        Command::Params => Request::Os(os::Request::Params),
        Command::Info => Request::Os(os::Request::Info {
            format: arguments.format(),
        }),
        Command::Bootloader => Request::Os(os::Request::Bootloader {
            query: arguments.query(),
        }),
        Command::State => Request::Img(img::Request::State),
        Command::SetState => Request::Img(img::Request::SetState {
            hash: arguments.hash(),
            confirm: arguments.confirm(),
        }),
        Command::Upload => Request::Img(img::Request::Upload(arguments.piece())),
        Command::Erase => Request::Img(img::Request::Erase {
            slot: arguments.slot(),
        }),
        Command::SlotInfo => Request::Img(img::Request::SlotInfo),
        Command::Describe => Request::Bootlace(bootlace::Request::Describe),
        Command::Journal => Request::Bootlace(bootlace::Request::Journal),
        Command::Patch => Request::Bootlace(bootlace::Request::Patch(arguments.piece())),
    })
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
    let mut enc = begin_message(buf);
    match request {
        Request::Os(request) => request.encode(&mut enc),
        Request::Img(request) => request.encode(&mut enc),
        Request::Bootlace(request) => request.encode(&mut enc),
    }
    let message = enc.written();
    end_message(buf, header, message)
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
    let mut enc = begin_message(buf);
    match response {
        Response::Os(response) => response.encode(&mut enc),
        Response::Img(response) => response.encode(&mut enc),
        Response::Bootlace(response) => response.encode(&mut enc),
        Response::Failure(failure) => failure.encode(&mut enc),
    }
    let message = enc.written();
    end_message(buf, request.response(0), message)
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
    let mut enc = begin_message(buf);
    failure.encode(&mut enc);
    let message = enc.written();
    end_message(buf, request.response(0), message)
}

/// Begins a packet's message, in the packet's own place: behind its header. A small device writes its answers this way: it links
/// no more of [`Response`] than it sends, and keeps none in memory.
pub fn begin_message(buf: &mut [u8]) -> Encoder<'_> {
    cbor::encoder(buf.get_mut(Header::LEN..).unwrap_or_default())
}

/// Writes the header of a packet behind which the `message` was written ([`Encoder::written`]), and returns the packet's length.
///
/// # Errors
/// [`EncodeError::Full`] where the message did not fit.
pub fn end_message(buf: &mut [u8], header: Header, message: Option<usize>) -> Result<usize, EncodeError> {
    let written = message.ok_or(EncodeError::Full)?;
    let len = u16::try_from(written).map_err(|_| EncodeError::Full)?;
    Header { len, ..header }.write(buf)?;
    Ok(Header::LEN + written)
}

#[cfg(test)]
mod tests;
