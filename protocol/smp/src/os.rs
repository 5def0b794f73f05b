//! Group 0: the system.

use minicbor::decode::Decoder;

use crate::cbor::{Encoder, Key, Kind, Text, Value, fields};
use crate::{DecodeError, Header, Op};

/// Number of the group.
pub const GROUP: u16 = 0;

/// `boot_mode` of a reset: start the application.
pub const BOOT_MODE_NORMAL: u8 = 0;
/// `boot_mode` of a reset: stay in the bootloader (Zephyr's `BOOT_MODE_TYPE_BOOTLOADER`).
pub const BOOT_MODE_BOOTLOADER: u8 = 1;

/// `mode` of [`Response::Mode`]: swap without scratch; images start at the slot's first byte.
pub const MODE_SWAP: i32 = 3;

/// `mode` of [`Response::Mode`]: the secondary image overwrites the primary one; there is no way back.
pub const MODE_OVERWRITE: i32 = 2;

/// `mode` of [`Response::Mode`]: direct XIP, which runs an image in whatever slot it lies.
pub const MODE_DIRECT_XIP: i32 = 4;

pub(crate) const ECHO: u8 = 0;
/// Echo of the console, of Mynewt's newtmgr: MCUboot's serial recovery says yes to anything (boot_serial.c:1383), Zephyr
/// does not know it.
const CONSOLE_ECHO: u8 = 1;
pub(crate) const RESET: u8 = 5;
pub(crate) const PARAMS: u8 = 6;
pub(crate) const INFO: u8 = 7;
pub(crate) const BOOTLOADER: u8 = 8;

/// What can be asked of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// Say it back.
    Echo(Text<'a>),
    /// Restart, after answering.
    Reset {
        /// Also while busy.
        force: bool,
        /// Where to start: see [`BOOT_MODE_NORMAL`], [`BOOT_MODE_BOOTLOADER`].
        boot_mode: Option<u8>,
    },
    /// Whether the console repeats what it gets: a question that MCUboot's serial recovery answers, and no application
    /// of Zephyr's. Never decoded: no device of this project serves it.
    ConsoleEcho,
    /// Largest frame, and how many.
    Params,
    /// Text about the application.
    Info {
        /// Which parts, one letter each (as `uname`); absent: the kernel's name.
        format: Option<Text<'a>>,
    },
    /// About the bootloader.
    Bootloader {
        /// Absent: its name; `mode`: how it updates.
        query: Option<Text<'a>>,
    },
}

impl<'a> Request<'a> {
    /// Op, group and command of this request.
    pub const fn address(&self) -> (Op, u16, u8) {
        match self {
            Request::Echo(_) => (Op::Write, GROUP, ECHO),
            Request::Reset { .. } => (Op::Write, GROUP, RESET),
            Request::ConsoleEcho => (Op::Write, GROUP, CONSOLE_ECHO),
            Request::Params => (Op::Read, GROUP, PARAMS),
            Request::Info { .. } => (Op::Read, GROUP, INFO),
            Request::Bootloader { .. } => (Op::Read, GROUP, BOOTLOADER),
        }
    }

    pub(crate) fn encode(&self, enc: &mut Encoder<'_>) {
        match *self {
            Request::Echo(d) => optional(enc, Key::D, Some(d)),
            Request::Reset { force, boot_mode } => {
                enc.map(u8::from(force) + u8::from(boot_mode.is_some()));
                enc.some_number(Key::FORCE, force.then_some(1));
                enc.some_number(Key::BOOT_MODE, boot_mode.map(u32::from));
            }
            Request::ConsoleEcho | Request::Params => enc.map(0),
            Request::Info { format } => optional(enc, Key::FORMAT, format),
            Request::Bootloader { query } => optional(enc, Key::QUERY, query),
        }
    }
}

/// What the system answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Response<'a> {
    /// What was said.
    Echo(Text<'a>),
    /// It will restart. Always an empty map: anything in it makes smpclient raise.
    Reset,
    /// It has a console, or says so.
    ConsoleEcho,
    /// How much it takes.
    Params {
        /// Bytes of the largest decoded frame: header, CBOR, and (console framing) 4 of length and CRC.
        buf_size: u32,
        /// Frames that it can hold at once.
        buf_count: u32,
    },
    /// Text about the application.
    Info(Text<'a>),
    /// Name of the bootloader.
    Bootloader(&'a str),
    /// How the bootloader updates.
    Mode {
        /// MCUboot's number: 3 is [`MODE_SWAP`], 9 swap with an offset, 2 overwrite, 4 direct XIP.
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
            ECHO => utf8_at(payload, Key::R)?
                .map(Response::Echo)
                .ok_or(DecodeError::Missing(Key::R)),
            RESET => Ok(Response::Reset),
            CONSOLE_ECHO => Ok(Response::ConsoleEcho),
            PARAMS => {
                let wanted = const { &[(Key::BUF_SIZE, Kind::Number), (Key::BUF_COUNT, Kind::Number)] };
                let mut values = [Value::Absent; 2];
                fields(payload, wanted, &mut values)?;
                let [size, count] = values;
                let buf_size = size.number().ok_or(DecodeError::Missing(Key::BUF_SIZE))?;
                let buf_count = count.number().ok_or(DecodeError::Missing(Key::BUF_COUNT))?;
                Ok(Response::Params { buf_size, buf_count })
            }
            INFO => utf8_at(payload, Key::OUTPUT)?
                .map(Response::Info)
                .ok_or(DecodeError::Missing(Key::OUTPUT)),
            BOOTLOADER => {
                let wanted = const {
                    &[
                        (Key::BOOTLOADER, Kind::Text),
                        (Key::MODE, Kind::Raw),
                        (Key::NO_DOWNGRADE, Kind::Flag),
                    ]
                };
                let mut values = [Value::Absent; 3];
                fields(payload, wanted, &mut values)?;
                let [name, mode, no_downgrade] = values;
                match (mode.bytes(), name.utf8()?) {
                    (Some(mode), _) => Ok(Response::Mode {
                        mode: Decoder::new(mode).i32()?,
                        no_downgrade: no_downgrade.is_set(),
                    }),
                    (None, Some(name)) => Ok(Response::Bootloader(name)),
                    (None, None) => Err(DecodeError::Missing(Key::BOOTLOADER)),
                }
            }
            _ => Err(DecodeError::Unsupported),
        }
    }

    /// Writes the message.
    #[inline(always)]
    pub fn encode(&self, enc: &mut Encoder<'_>) {
        match *self {
            Response::Echo(r) => optional(enc, Key::R, Some(r)),
            Response::Reset | Response::ConsoleEcho => enc.map(0),
            Response::Params { buf_size, buf_count } => {
                enc.map(2);
                enc.number(Key::BUF_SIZE, buf_size);
                enc.number(Key::BUF_COUNT, buf_count);
            }
            Response::Info(output) => optional(enc, Key::OUTPUT, Some(output)),
            Response::Bootloader(name) => optional(enc, Key::BOOTLOADER, Some(name.into())),
            Response::Mode { mode, no_downgrade } => {
                enc.map(1 + u8::from(no_downgrade));
                enc.integer(Key::MODE, mode);
                // As MCUboot does: present only where it is true.
                if no_downgrade {
                    enc.flag(Key::NO_DOWNGRADE, true);
                }
            }
        }
    }
}

fn value_at(payload: &[u8], key: Key) -> Result<Value<'_>, DecodeError> {
    let mut values = [Value::Absent];
    fields(payload, &[(key, Kind::Text)], &mut values)?;
    let [value] = values;
    Ok(value)
}

fn utf8_at(payload: &[u8], key: Key) -> Result<Option<Text<'_>>, DecodeError> {
    Ok(value_at(payload, key)?.utf8()?.map(Text::from))
}

fn optional(enc: &mut Encoder<'_>, key: Key, value: Option<Text>) {
    enc.map(u8::from(value.is_some()));
    enc.some_text(key, value);
}
