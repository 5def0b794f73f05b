//! Group 0: the system.

use minicbor::data::Type;

use crate::cbor::{self, Encoder, Fields};
use crate::{DecodeError, EncodeError, Header, Op};

/// Number of the group.
pub const GROUP: u16 = 0;

/// `boot_mode` of a reset: start the application.
pub const BOOT_MODE_NORMAL: u8 = 0;
/// `boot_mode` of a reset: stay in the bootloader (Zephyr's `BOOT_MODE_TYPE_BOOTLOADER`).
pub const BOOT_MODE_BOOTLOADER: u8 = 1;

/// `mode` of [`Response::Mode`]: swap without scratch; images start at the slot's first byte.
pub const MODE_SWAP: i32 = 3;

const ECHO: u8 = 0;
const RESET: u8 = 5;
const PARAMS: u8 = 6;
const INFO: u8 = 7;
const BOOTLOADER: u8 = 8;

/// What can be asked of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// Say it back.
    Echo(&'a str),
    /// Restart, after answering.
    Reset {
        /// Also while busy.
        force: bool,
        /// Where to start: see [`BOOT_MODE_NORMAL`], [`BOOT_MODE_BOOTLOADER`].
        boot_mode: Option<u8>,
    },
    /// Largest frame, and how many.
    Params,
    /// Text about the application.
    Info {
        /// Which parts, one letter each (as `uname`); absent: the kernel's name.
        format: Option<&'a str>,
    },
    /// About the bootloader.
    Bootloader {
        /// Absent: its name; `mode`: how it updates.
        query: Option<&'a str>,
    },
}

impl<'a> Request<'a> {
    /// Op, group and command of this request.
    pub const fn address(&self) -> (Op, u16, u8) {
        match self {
            Request::Echo(_) => (Op::Write, GROUP, ECHO),
            Request::Reset { .. } => (Op::Write, GROUP, RESET),
            Request::Params => (Op::Read, GROUP, PARAMS),
            Request::Info { .. } => (Op::Read, GROUP, INFO),
            Request::Bootloader { .. } => (Op::Read, GROUP, BOOTLOADER),
        }
    }

    /// Decodes a request of this group.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn decode(header: &Header, payload: &'a [u8]) -> Result<Self, DecodeError> {
        match (header.op, header.id) {
            // mcumgr-web and Zephyr's own client read and write it alike.
            (Op::Read | Op::Write, ECHO) => {
                let mut d = None;
                cbor::payload(payload, &mut |key, dec| {
                    if key == "d" {
                        d = Some(cbor::text(dec)?);
                    }
                    Ok(key == "d")
                })?;
                d.map(Request::Echo).ok_or(DecodeError::Missing("d"))
            }
            (Op::Write, RESET) => {
                let (mut force, mut boot_mode) = (false, None);
                cbor::payload(payload, &mut |key, dec| {
                    match key {
                        // A number in Zephyr's documentation, a bool in some clients.
                        "force" if dec.datatype()? == Type::Bool => force = dec.bool()?,
                        "force" => force = dec.u8()? != 0,
                        "boot_mode" => boot_mode = Some(dec.u8()?),
                        _ => return Ok(false),
                    }
                    Ok(true)
                })?;
                Ok(Request::Reset { force, boot_mode })
            }
            (Op::Read, PARAMS) => Ok(Request::Params),
            (Op::Read, INFO) => Ok(Request::Info {
                format: text_at(payload, "format")?,
            }),
            (Op::Read, BOOTLOADER) => Ok(Request::Bootloader {
                query: text_at(payload, "query")?,
            }),
            _ => Err(DecodeError::Unsupported),
        }
    }

    pub(crate) fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        match *self {
            Request::Echo(d) => enc.map(1)?.str("d")?.str(d)?.ok()?,
            Request::Reset { force, boot_mode } => {
                Fields::new().count(force).count(boot_mode.is_some()).begin(enc)?;
                if force {
                    cbor::put_u32(enc, "force", 1)?;
                }
                if let Some(mode) = boot_mode {
                    cbor::put_u32(enc, "boot_mode", u32::from(mode))?;
                }
            }
            Request::Params => cbor::begin_map(enc, 0)?,
            Request::Info { format } => optional(enc, "format", format)?,
            Request::Bootloader { query } => optional(enc, "query", query)?,
        }
        Ok(())
    }
}

/// What the system answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Response<'a> {
    /// What was said.
    Echo(&'a str),
    /// It will restart. Always an empty map: anything in it makes smpclient raise.
    Reset,
    /// How much it takes.
    Params {
        /// Bytes of the largest decoded frame: header, CBOR, and (console framing) 4 of length and CRC.
        buf_size: u32,
        /// Frames that it can hold at once.
        buf_count: u32,
    },
    /// Text about the application.
    Info(&'a str),
    /// Name of the bootloader.
    Bootloader(&'a str),
    /// How the bootloader updates.
    Mode {
        /// MCUboot's number: 3 is [`MODE_SWAP`], 9 swap with an offset, 2 overwrite.
        mode: i32,
        /// It refuses older versions.
        no_downgrade: bool,
    },
}

impl<'a> Response<'a> {
    /// Decodes an answer of this group.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn decode(header: &Header, payload: &'a [u8]) -> Result<Self, DecodeError> {
        match header.id {
            ECHO => text_at(payload, "r")?
                .map(Response::Echo)
                .ok_or(DecodeError::Missing("r")),
            RESET => Ok(Response::Reset),
            PARAMS => {
                let (mut size, mut count) = (None, None);
                cbor::payload(payload, &mut |key, dec| {
                    match key {
                        "buf_size" => size = Some(dec.u32()?),
                        "buf_count" => count = Some(dec.u32()?),
                        _ => return Ok(false),
                    }
                    Ok(true)
                })?;
                let buf_size = size.ok_or(DecodeError::Missing("buf_size"))?;
                let buf_count = count.ok_or(DecodeError::Missing("buf_count"))?;
                Ok(Response::Params { buf_size, buf_count })
            }
            INFO => text_at(payload, "output")?
                .map(Response::Info)
                .ok_or(DecodeError::Missing("output")),
            BOOTLOADER => {
                let (mut name, mut mode, mut no_downgrade) = (None, None, false);
                cbor::payload(payload, &mut |key, dec| {
                    match key {
                        "bootloader" => name = Some(cbor::text(dec)?),
                        "mode" => mode = Some(dec.i32()?),
                        "no-downgrade" => no_downgrade = dec.bool()?,
                        _ => return Ok(false),
                    }
                    Ok(true)
                })?;
                match (mode, name) {
                    (Some(mode), _) => Ok(Response::Mode { mode, no_downgrade }),
                    (None, Some(name)) => Ok(Response::Bootloader(name)),
                    (None, None) => Err(DecodeError::Missing("bootloader")),
                }
            }
            _ => Err(DecodeError::Unsupported),
        }
    }

    pub(crate) fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        match *self {
            Response::Echo(r) => optional(enc, "r", Some(r))?,
            Response::Reset => cbor::begin_map(enc, 0)?,
            Response::Params { buf_size, buf_count } => {
                cbor::begin_map(enc, 2)?;
                cbor::put_u32(enc, "buf_size", buf_size)?;
                cbor::put_u32(enc, "buf_count", buf_count)?;
            }
            Response::Info(output) => optional(enc, "output", Some(output))?,
            Response::Bootloader(name) => optional(enc, "bootloader", Some(name))?,
            Response::Mode { mode, no_downgrade } => {
                Fields::new().count(true).count(no_downgrade).begin(enc)?;
                enc.str("mode")?.i32(mode)?;
                // As MCUboot does: present only where it is true.
                if no_downgrade {
                    cbor::put_bool(enc, "no-downgrade", true)?;
                }
            }
        }
        Ok(())
    }
}

fn text_at<'a>(payload: &'a [u8], wanted: &str) -> Result<Option<&'a str>, DecodeError> {
    let mut found = None;
    cbor::payload(payload, &mut |key, dec| {
        if key == wanted {
            found = Some(cbor::text(dec)?);
        }
        Ok(key == wanted)
    })?;
    Ok(found)
}

fn optional(enc: &mut Encoder<'_>, key: &str, value: Option<&str>) -> Result<(), EncodeError> {
    Fields::new().count(value.is_some()).begin(enc)?;
    if let Some(value) = value {
        cbor::put_str(enc, key, value)?;
    }
    Ok(())
}
