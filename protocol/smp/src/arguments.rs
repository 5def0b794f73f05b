//! Requests as a device reads them: which command it is, and the values of its keys. One table serves all commands.

use crate::cbor::{Key, Kind, Text, Value, fields};
use crate::header::Version;
use crate::{DecodeError, Header, Op, bootlace, img, os};

/// What a device of ours serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// [`os::Request::Echo`]
    Echo,
    /// [`os::Request::Reset`]
    Reset,
    /// [`os::Request::Params`]
    Params,
    /// [`os::Request::Info`]
    Info,
    /// [`os::Request::Bootloader`]
    Bootloader,
    /// [`img::Request::State`]
    State,
    /// [`img::Request::SetState`]
    SetState,
    /// [`img::Request::Upload`]
    Upload,
    /// [`img::Request::Erase`]
    Erase,
    /// [`img::Request::SlotInfo`]
    SlotInfo,
    /// [`bootlace::Request::Describe`]
    Describe,
    /// [`bootlace::Request::Journal`]
    Journal,
    /// [`bootlace::Request::Patch`]
    Patch,
}

/// All keys of all requests; those of a command stand together, and the ones that it must have come first.
const KEYS: [(Key, Kind); COUNT] = [
    (Key::D, Kind::Text),
    // A number in Zephyr's documentation, a bool in some clients.
    (Key::FORCE, Kind::Switch),
    (Key::BOOT_MODE, Kind::Byte),
    (Key::FORMAT, Kind::Text),
    (Key::QUERY, Kind::Text),
    (Key::HASH, Kind::BytesOrNull),
    (Key::CONFIRM, Kind::Flag),
    (Key::SLOT, Kind::Number),
    (Key::OFF, Kind::Number),
    (Key::DATA, Kind::Bytes),
    (Key::IMAGE, Kind::Number),
    (Key::LEN, Kind::Number),
    (Key::SHA, Kind::BytesOrNull),
    (Key::UPGRADE, Kind::Flag),
];
const COUNT: usize = 14;

/// Where the values stand.
const D: usize = 0;
const FORCE: usize = 1;
const BOOT_MODE: usize = 2;
const FORMAT: usize = 3;
const QUERY: usize = 4;
const HASH: usize = 5;
const CONFIRM: usize = 6;
const SLOT: usize = 7;
const OFF: usize = 8;
const DATA: usize = 9;
const IMAGE: usize = 10;
const LEN: usize = 11;
const SHA: usize = 12;
const UPGRADE: usize = 13;

/// A row of the table of commands: how it is asked for, and the numbers of its first key, of the first that may be absent and of
/// the first of another command's.
type Row = (Op, u8, u8, Command, [u8; 3]);

const fn row(op: Op, group: u16, id: u8, command: Command, keys: [usize; 3]) -> Row {
    let [first, optional, end] = keys;
    (
        op,
        group as u8,
        id,
        command,
        [first as u8, optional as u8, end as u8],
    )
}

const NO_KEYS: [usize; 3] = [0; 3];
const PIECE: [usize; 3] = [OFF, IMAGE, COUNT];

static COMMANDS: [Row; 14] = [
    row(Op::Write, img::GROUP, img::UPLOAD, Command::Upload, PIECE),
    row(Op::Write, bootlace::GROUP, bootlace::PATCH, Command::Patch, PIECE),
    // mcumgr-web and Zephyr's own client read and write it alike.
    row(Op::Read, os::GROUP, os::ECHO, Command::Echo, [D, FORCE, FORCE]),
    row(Op::Write, os::GROUP, os::ECHO, Command::Echo, [D, FORCE, FORCE]),
    row(
        Op::Write,
        os::GROUP,
        os::RESET,
        Command::Reset,
        [FORCE, FORCE, FORMAT],
    ),
    row(Op::Read, os::GROUP, os::PARAMS, Command::Params, NO_KEYS),
    row(
        Op::Read,
        os::GROUP,
        os::INFO,
        Command::Info,
        [FORMAT, FORMAT, QUERY],
    ),
    row(
        Op::Read,
        os::GROUP,
        os::BOOTLOADER,
        Command::Bootloader,
        [QUERY, QUERY, HASH],
    ),
    row(Op::Read, img::GROUP, img::STATE, Command::State, NO_KEYS),
    row(
        Op::Write,
        img::GROUP,
        img::STATE,
        Command::SetState,
        [HASH, HASH, SLOT],
    ),
    row(
        Op::Write,
        img::GROUP,
        img::ERASE,
        Command::Erase,
        [SLOT, SLOT, OFF],
    ),
    row(Op::Read, img::GROUP, img::SLOT_INFO, Command::SlotInfo, NO_KEYS),
    row(
        Op::Read,
        bootlace::GROUP,
        bootlace::DESCRIBE,
        Command::Describe,
        NO_KEYS,
    ),
    row(
        Op::Read,
        bootlace::GROUP,
        bootlace::JOURNAL,
        Command::Journal,
        NO_KEYS,
    ),
];

/// The values of a request's keys. Those of keys that its command does not have are absent.
#[derive(Clone, Copy, Debug)]
pub struct Arguments<'a>([Value<'a>; COUNT]);

impl<'a> Arguments<'a> {
    /// None yet.
    #[allow(clippy::new_without_default, reason = "what is to be read to is no default")]
    pub fn new() -> Self {
        Arguments([Value::Absent; COUNT])
    }

    /// Reads a request: its command, and here, where there are none yet, the values of its keys.
    ///
    /// # Errors
    /// [`DecodeError::Unsupported`] for a command that no device of ours serves; otherwise what is wrong with the bytes.
    pub fn read(&mut self, header: &Header, payload: &'a [u8]) -> Result<Command, DecodeError> {
        if let Version::Unknown(_) = header.version {
            return Err(DecodeError::Version);
        }
        let asked = (header.op, header.group, header.id);
        let mut rows = COMMANDS.iter();
        let row = rows.find(|(op, group, id, ..)| (*op, u16::from(*group), *id) == asked);
        let &(.., command, [first, optional, end]) = row.ok_or(DecodeError::Unsupported)?;
        let (first, end, required) = (first.into(), end.into(), usize::from(optional - first));
        let wanted = KEYS.get(first..end).unwrap_or_default();
        let values = self.0.get_mut(first..end).unwrap_or_default();
        if !wanted.is_empty() {
            fields(payload, wanted, values)?;
        }
        let mut required = wanted.iter().zip(values).take(required);
        match required.find(|(_, value)| **value == Value::Absent) {
            Some(((key, _), _)) => Err(DecodeError::Missing(*key)),
            None => Ok(command),
        }
    }

    /// What to say back.
    pub fn echo(&self) -> Text<'a> {
        self.0[D].text().unwrap_or_default()
    }

    /// Whether to reset also while busy.
    pub fn force(&self) -> bool {
        self.0[FORCE].is_set()
    }

    /// What to start in.
    pub fn boot_mode(&self) -> Option<u8> {
        self.0[BOOT_MODE].byte()
    }

    /// Which parts of the text about the application.
    pub fn format(&self) -> Option<Text<'a>> {
        self.0[FORMAT].text()
    }

    /// What is asked about the bootloader.
    pub fn query(&self) -> Option<Text<'a>> {
        self.0[QUERY].text()
    }

    /// Hash of the image to mark.
    pub fn hash(&self) -> Option<&'a [u8]> {
        self.0[HASH].bytes()
    }

    /// Whether to keep the image, rather than to try it once.
    pub fn confirm(&self) -> bool {
        self.0[CONFIRM].is_set()
    }

    /// Which slot.
    pub fn slot(&self) -> Option<u32> {
        self.0[SLOT].number()
    }

    /// The piece of a file.
    pub fn piece(&self) -> img::Upload<'a> {
        img::Upload {
            image: self.0[IMAGE].number(),
            off: self.0[OFF].number().unwrap_or(0),
            len: self.0[LEN].number(),
            sha: self.0[SHA].bytes(),
            data: self.0[DATA].bytes().unwrap_or_default(),
            upgrade: self.0[UPGRADE].is_set(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of keys stand beside the table of keys, and rows name them by number.
    #[test]
    fn every_key_stands_where_its_number_says() {
        let numbered = [
            (D, Key::D),
            (FORCE, Key::FORCE),
            (BOOT_MODE, Key::BOOT_MODE),
            (FORMAT, Key::FORMAT),
            (QUERY, Key::QUERY),
            (HASH, Key::HASH),
            (CONFIRM, Key::CONFIRM),
            (SLOT, Key::SLOT),
            (OFF, Key::OFF),
            (DATA, Key::DATA),
            (IMAGE, Key::IMAGE),
            (LEN, Key::LEN),
            (SHA, Key::SHA),
            (UPGRADE, Key::UPGRADE),
        ];
        assert_eq!(KEYS.map(|(key, _)| key), numbered.map(|(_, key)| key));
        assert_eq!(numbered.map(|(number, _)| number), core::array::from_fn(|at| at));
    }
}
