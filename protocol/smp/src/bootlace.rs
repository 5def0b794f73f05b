//! Group 64: what SMP lacks. The board describes itself, tells of its last updates, and takes patches: images as their
//! difference from the one that it runs.
//!
//! Everything but the role may be absent: a small application may not know it. Codes travel, sentences do not.

use crate::cbor::{Encoder, Item, Key as Name, Kind, List, Reader, Text, Value, entries, fields};
use crate::img::{self, Upload};
use crate::{DecodeError, Header, Op};

mod codes;
mod error;
mod journal;
pub use codes::{Algorithm, BootState, Features, Reset, Role, RollbackReason};
pub use error::ErrorCode;
pub use journal::{JournalEntry, JournalOutcome, Release};

/// Number of the group: the first of the per-user range.
pub const GROUP: u16 = 64;

pub(crate) const DESCRIBE: u8 = 0;
pub(crate) const JOURNAL: u8 = 1;
pub(crate) const PATCH: u8 = 2;

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// Say what you are.
    Describe,
    /// Tell of your last updates.
    Journal,
    /// A piece of a patch, which makes an image in the secondary slot from the one in the primary: in form and rules like
    /// a piece of an image. `len` and `sha` are the patch's; `image` and `upgrade` have no meaning here.
    Patch(Upload<'a>),
}

impl<'a> Request<'a> {
    /// Op, group and command of this request.
    pub const fn address(&self) -> (Op, u16, u8) {
        match self {
            Request::Describe => (Op::Read, GROUP, DESCRIBE),
            Request::Journal => (Op::Read, GROUP, JOURNAL),
            Request::Patch(_) => (Op::Write, GROUP, PATCH),
        }
    }

    pub(crate) fn encode(&self, enc: &mut Encoder<'_>) {
        match self {
            Request::Describe | Request::Journal => enc.map(0),
            Request::Patch(piece) => piece.encode(enc),
        }
    }
}

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Response<'a> {
    /// What the board is.
    Describe(Description<'a>),
    /// Its last updates, newest first.
    Journal(List<'a, JournalEntry>),
    /// How far the patch is.
    Patch {
        /// The offset in the patch that is wanted next: the board's word is the authority.
        off: u32,
        /// At the end: whether the image that it made has the digest that the patch names.
        matched: Option<bool>,
    },
}

impl<'a> Response<'a> {
    /// Decodes an answer of this group.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn decode(header: &Header, payload: &'a [u8]) -> Result<Self, DecodeError> {
        match header.id {
            DESCRIBE => Description::decode(payload).map(Response::Describe),
            JOURNAL => {
                let mut values = [Value::Absent; 1];
                fields(payload, &[(Name::UPDATES, Kind::Raw)], &mut values)?;
                let [updates] = values;
                Ok(Response::Journal(List::decode(updates)?.unwrap_or_default()))
            }
            PATCH => img::decode_progress(payload).map(|(off, matched)| Response::Patch { off, matched }),
            _ => Err(DecodeError::Unsupported),
        }
    }

    /// Writes the message.
    #[inline(always)]
    pub fn encode(&self, enc: &mut Encoder<'_>) {
        match self {
            Response::Describe(description) => description.encode(enc),
            Response::Journal(updates) => {
                enc.map(1);
                updates.encode(enc, Name::UPDATES);
            }
            Response::Patch { off, matched } => img::encode_progress(enc, *off, *matched),
        }
    }
}

/// What a board says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Description<'a> {
    /// Who answers.
    pub role: Role,
    /// Name of the board's kind.
    pub board: Option<&'a str>,
    /// Serial number of this one board.
    pub serial: Option<&'a str>,
    /// Version of the companion bootloader (`bl`).
    pub bootloader: Option<&'a str>,
    /// Vendor UUID that an image must carry (TLV 0x74).
    pub vid: Option<&'a [u8; 16]>,
    /// Class UUID that an image must carry (TLV 0x75).
    pub cid: Option<&'a [u8; 16]>,
    /// Keys that the board trusts.
    pub keys: List<'a, Key<'a>>,
    /// The slots.
    pub slots: List<'a, Slot>,
    /// Bytes of the largest decoded packet that it takes, header included.
    pub frame: Option<u32>,
    /// Packets that it can hold at once.
    pub window: Option<u32>,
    /// Security counter: older images are refused.
    pub counter: Option<u32>,
    /// What else it can do.
    pub features: Features,
    /// Why it last started.
    pub reset: Option<Reset>,
    /// What it is doing.
    pub state: Option<BootState>,
    /// The last trial failed.
    pub rollback: Option<Rollback<'a>>,
    /// The running image is on trial.
    pub trial: Option<Trial>,
    /// What its supply was when last measured.
    pub supply: Option<Supply>,
    /// Version of the image that it falls back to when nothing else can run.
    pub golden: Option<Release>,
}

/// A board's supply, and from where on it takes updates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Supply {
    /// What was measured: millivolts, or percent of a full battery.
    pub level: u32,
    /// Below this no update begins; in the same unit.
    pub limit: u32,
    /// The unit is percent of a full battery; otherwise millivolts.
    pub percent: bool,
}

impl Supply {
    /// Too little to begin an update.
    pub const fn is_low(&self) -> bool {
        self.level < self.limit
    }
}

/// A public key that the board trusts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    /// Its kind.
    pub alg: Algorithm,
    /// P-256: SEC1, uncompressed, 65 bytes. Ed25519: 32 bytes.
    pub key: &'a [u8],
}

/// A slot of the board.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slot {
    /// 0 primary, 1 secondary.
    pub slot: u32,
    /// Where it starts in the chip's address space.
    pub addr: u32,
    /// Bytes.
    pub size: u32,
    /// Bytes of the largest image, its TLVs included.
    pub max: u32,
    /// Bytes that are erased at once.
    pub erase: u32,
    /// Bytes that are written at once.
    pub write: u32,
}

/// The last trial failed, and the image before it runs again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rollback<'a> {
    /// Why.
    pub reason: RollbackReason,
    /// Version of the image that failed.
    pub from: Option<Text<'a>>,
}

/// The running image has yet to prove itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Trial {
    /// Starts left before the image is taken back.
    pub left: u32,
    /// Seconds left to confirm; absent where only a restart ends the trial.
    pub deadline: Option<u32>,
}

impl<'a> Description<'a> {
    fn decode(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let identity = const {
            &[
                (Name::ROLE, Kind::Byte),
                (Name::BOARD, Kind::Text),
                (Name::SERIAL, Kind::Text),
                (Name::BL, Kind::Text),
                (Name::VID, Kind::Bytes),
                (Name::CID, Kind::Bytes),
                (Name::KEYS, Kind::Raw),
                (Name::SLOTS, Kind::Raw),
                (Name::FRAME, Kind::Number),
                (Name::WINDOW, Kind::Number),
            ]
        };
        let condition = const {
            &[
                (Name::COUNTER, Kind::Number),
                (Name::FEATURES, Kind::Number),
                (Name::RESET, Kind::Byte),
                (Name::STATE, Kind::Byte),
                (Name::ROLLBACK, Kind::Raw),
                (Name::TRIAL, Kind::Raw),
                (Name::SUPPLY, Kind::Raw),
                (Name::GOLDEN, Kind::Bytes),
            ]
        };
        let mut values = [Value::Absent; 10];
        fields(payload, identity, &mut values)?;
        let [
            role,
            board,
            serial,
            bootloader,
            vid,
            cid,
            keys,
            slots,
            frame,
            window,
        ] = values;
        let mut values = [Value::Absent; 8];
        fields(payload, condition, &mut values)?;
        let [counter, features, reset, state, rollback, trial, supply, golden] = values;
        Ok(Description {
            role: role
                .byte()
                .map(Role::from_code)
                .ok_or(DecodeError::Missing(Name::ROLE))?,
            board: board.utf8()?,
            serial: serial.utf8()?,
            bootloader: bootloader.utf8()?,
            vid: uuid(vid)?,
            cid: uuid(cid)?,
            keys: List::decode(keys)?.unwrap_or_default(),
            slots: List::decode(slots)?.unwrap_or_default(),
            frame: frame.number(),
            window: window.number(),
            counter: counter.number(),
            features: Features(features.number().unwrap_or(0)),
            reset: reset.byte().map(Reset::from_code),
            state: state.byte().map(BootState::from_code),
            rollback: rollback.bytes().map(Rollback::decode).transpose()?,
            trial: trial.bytes().map(Trial::decode).transpose()?,
            supply: supply.bytes().map(Supply::decode).transpose()?,
            golden: journal::release(golden)?,
        })
    }

    #[inline(always)]
    fn encode(&self, enc: &mut Encoder<'_>) {
        // An indefinite map: 18 optional entries would be named twice otherwise. Only our own updater reads it.
        enc.open_map();
        enc.number(Name::ROLE, u32::from(self.role.code()));
        enc.some_text(Name::BOARD, self.board.map(Text::from));
        enc.some_text(Name::SERIAL, self.serial.map(Text::from));
        enc.some_text(Name::BL, self.bootloader.map(Text::from));
        enc.some_bytes(Name::VID, self.vid.map(<[u8; 16]>::as_slice));
        enc.some_bytes(Name::CID, self.cid.map(<[u8; 16]>::as_slice));
        self.keys.encode(enc, Name::KEYS);
        self.slots.encode(enc, Name::SLOTS);
        enc.some_number(Name::FRAME, self.frame);
        enc.some_number(Name::WINDOW, self.window);
        enc.some_number(Name::COUNTER, self.counter);
        enc.number(Name::FEATURES, self.features.0);
        enc.some_number(Name::RESET, self.reset.map(|reset| u32::from(reset.code())));
        enc.some_number(Name::STATE, self.state.map(|state| u32::from(state.code())));
        if let Some(rollback) = self.rollback {
            enc.key(Name::ROLLBACK);
            enc.map(1 + u8::from(rollback.from.is_some()));
            enc.number(Name::REASON, u32::from(rollback.reason.code()));
            enc.some_text(Name::FROM, rollback.from);
        }
        if let Some(trial) = self.trial {
            enc.key(Name::TRIAL);
            enc.map(1 + u8::from(trial.deadline.is_some()));
            enc.number(Name::LEFT, trial.left);
            enc.some_number(Name::DEADLINE, trial.deadline);
        }
        if let Some(supply) = self.supply {
            enc.key(Name::SUPPLY);
            enc.map(3);
            enc.number(Name::LEVEL, supply.level);
            enc.number(Name::LIMIT, supply.limit);
            enc.flag(Name::PERCENT, supply.percent);
        }
        if let Some(golden) = self.golden {
            enc.bytes(Name::GOLDEN, &golden.to_bytes());
        }
        enc.end();
    }
}

impl<'a> Rollback<'a> {
    fn decode(map: &'a [u8]) -> Result<Self, DecodeError> {
        let wanted = const { &[(Name::REASON, Kind::Byte), (Name::FROM, Kind::Text)] };
        let mut values = [Value::Absent; 2];
        entries(&mut Reader::new(map), wanted, &mut values)?;
        let [reason, from] = values;
        Ok(Rollback {
            reason: reason
                .byte()
                .map(RollbackReason::from_code)
                .ok_or(DecodeError::Missing(Name::REASON))?,
            from: from.utf8()?.map(Text::from),
        })
    }
}

impl Supply {
    fn decode(map: &[u8]) -> Result<Self, DecodeError> {
        let wanted = const {
            &[
                (Name::LEVEL, Kind::Number),
                (Name::LIMIT, Kind::Number),
                (Name::PERCENT, Kind::Flag),
            ]
        };
        let mut values = [Value::Absent; 3];
        entries(&mut Reader::new(map), wanted, &mut values)?;
        let [level, limit, percent] = values;
        Ok(Supply {
            level: level.number().unwrap_or(0),
            limit: limit.number().unwrap_or(0),
            percent: percent.is_set(),
        })
    }
}

impl Trial {
    fn decode(map: &[u8]) -> Result<Self, DecodeError> {
        let wanted = const { &[(Name::LEFT, Kind::Number), (Name::DEADLINE, Kind::Number)] };
        let mut values = [Value::Absent; 2];
        entries(&mut Reader::new(map), wanted, &mut values)?;
        let [left, deadline] = values;
        Ok(Trial {
            left: left.number().unwrap_or(0),
            deadline: deadline.number(),
        })
    }
}

impl<'a> Item<'a> for Key<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let mut values = [Value::Absent; 2];
        entries(
            reader,
            &[(Name::ALG, Kind::Byte), (Name::KEY, Kind::Bytes)],
            &mut values,
        )?;
        let [alg, key] = values;
        let alg = alg.byte().ok_or(DecodeError::Missing(Name::ALG))?;
        Ok(Key {
            alg: Algorithm::from_code(alg),
            key: key.bytes().ok_or(DecodeError::Missing(Name::KEY))?,
        })
    }

    fn encode(&self, enc: &mut Encoder<'_>) {
        enc.map(2);
        enc.number(Name::ALG, u32::from(self.alg.code()));
        enc.bytes(Name::KEY, self.key);
    }
}

impl<'a> Item<'a> for Slot {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let wanted = const {
            &[
                (Name::SLOT, Kind::Number),
                (Name::ADDR, Kind::Number),
                (Name::SIZE, Kind::Number),
                (Name::MAX, Kind::Number),
                (Name::ERASE, Kind::Number),
                (Name::WRITE, Kind::Number),
            ]
        };
        let mut values = [Value::Absent; 6];
        entries(reader, wanted, &mut values)?;
        let [slot, addr, size, max, erase, write] = values.map(|value| value.number().unwrap_or(0));
        Ok(Slot {
            slot,
            addr,
            size,
            max,
            erase,
            write,
        })
    }

    fn encode(&self, enc: &mut Encoder<'_>) {
        enc.map(6);
        enc.number(Name::SLOT, self.slot);
        enc.number(Name::ADDR, self.addr);
        enc.number(Name::SIZE, self.size);
        enc.number(Name::MAX, self.max);
        enc.number(Name::ERASE, self.erase);
        enc.number(Name::WRITE, self.write);
    }
}

fn uuid(value: Value<'_>) -> Result<Option<&[u8; 16]>, DecodeError> {
    let bytes = value.bytes().map(<&[u8; 16]>::try_from).transpose();
    bytes.map_err(|_| DecodeError::Cbor)
}
