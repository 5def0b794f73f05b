//! Group 64: what SMP lacks. The board describes itself, tells of its last updates, and takes patches: images as their
//! difference from the one that it runs.
//!
//! Everything but the role may be absent: a small application may not know it. Codes travel, sentences do not.

use minicbor::decode::Decoder;

use crate::cbor::{self, Encoder, Fields, Item, List};
use crate::img::{self, Upload};
use crate::{DecodeError, EncodeError, Header, Op};

mod codes;
mod error;
mod journal;
pub use codes::{Algorithm, Features, Reset, Role, RollbackReason, State};
pub use error::ErrorCode;
pub use journal::{Outcome, Release, Update};

/// Number of the group: the first of the per-user range.
pub const GROUP: u16 = 64;

const DESCRIBE: u8 = 0;
const JOURNAL: u8 = 1;
const PATCH: u8 = 2;

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

    /// Decodes a request of this group.
    ///
    /// # Errors
    /// [`DecodeError::Unsupported`] for any other command; otherwise what is wrong with the bytes.
    pub fn decode(header: &Header, payload: &'a [u8]) -> Result<Self, DecodeError> {
        match (header.op, header.id) {
            (Op::Read, DESCRIBE) => Ok(Request::Describe),
            (Op::Read, JOURNAL) => Ok(Request::Journal),
            (Op::Write, PATCH) => Upload::decode(payload).map(Request::Patch),
            _ => Err(DecodeError::Unsupported),
        }
    }

    pub(crate) fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        match self {
            Request::Describe | Request::Journal => cbor::begin_map(enc, 0)?,
            Request::Patch(piece) => piece.encode(enc)?,
        }
        Ok(())
    }
}

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Response<'a> {
    /// What the board is.
    Describe(Description<'a>),
    /// Its last updates, newest first.
    Journal(List<'a, Update>),
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
                let mut updates = List::default();
                cbor::payload(payload, &mut |key, dec| {
                    if key == "updates" {
                        updates = List::decode(dec)?;
                    }
                    Ok(key == "updates")
                })?;
                Ok(Response::Journal(updates))
            }
            PATCH => img::decode_progress(payload).map(|(off, matched)| Response::Patch { off, matched }),
            _ => Err(DecodeError::Unsupported),
        }
    }

    pub(crate) fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        match self {
            Response::Describe(description) => description.encode(enc),
            Response::Journal(updates) => {
                cbor::begin_map(enc, 1)?;
                cbor::key(enc, "updates")?;
                updates.encode(enc)
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
    pub state: Option<State>,
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
    pub from: Option<&'a str>,
}

/// The running image has yet to prove itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Starts left before the image is taken back.
    pub left: u32,
    /// Seconds left to confirm; absent where only a restart ends the trial.
    pub deadline: Option<u32>,
}

impl<'a> Description<'a> {
    fn decode(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let mut it = Description::default();
        let mut role = None;
        cbor::payload(payload, &mut |key, dec| {
            match key {
                "role" => role = Some(Role::from_code(dec.u8()?)),
                "board" => it.board = Some(cbor::text(dec)?),
                "serial" => it.serial = Some(cbor::text(dec)?),
                "bl" => it.bootloader = Some(cbor::text(dec)?),
                "vid" => it.vid = Some(uuid(dec)?),
                "cid" => it.cid = Some(uuid(dec)?),
                "keys" => it.keys = List::decode(dec)?,
                "slots" => it.slots = List::decode(dec)?,
                "frame" => it.frame = Some(dec.u32()?),
                "window" => it.window = Some(dec.u32()?),
                "counter" => it.counter = Some(dec.u32()?),
                "features" => it.features = Features(dec.u32()?),
                "reset" => it.reset = Some(Reset::from_code(dec.u8()?)),
                "state" => it.state = Some(State::from_code(dec.u8()?)),
                "rollback" => it.rollback = Some(Rollback::decode(dec)?),
                "trial" => it.trial = Some(Trial::decode(dec)?),
                "supply" => it.supply = Some(Supply::decode(dec)?),
                "golden" => it.golden = Some(journal::release(dec)?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        it.role = role.ok_or(DecodeError::Missing("role"))?;
        Ok(it)
    }

    fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        // An indefinite map: 18 optional entries would be named twice otherwise. Only our own updater reads it.
        enc.begin_map()?;
        cbor::put_u32(enc, "role", u32::from(self.role.code()))?;
        let texts = [
            ("board", self.board),
            ("serial", self.serial),
            ("bl", self.bootloader),
        ];
        for (key, value) in texts {
            if let Some(value) = value {
                cbor::put_str(enc, key, value)?;
            }
        }
        for (key, value) in [("vid", self.vid), ("cid", self.cid)] {
            if let Some(value) = value {
                cbor::put_bytes(enc, key, value)?;
            }
        }
        cbor::key(enc, "keys")?;
        self.keys.encode(enc)?;
        cbor::key(enc, "slots")?;
        self.slots.encode(enc)?;
        let numbers = [
            ("frame", self.frame),
            ("window", self.window),
            ("counter", self.counter),
            ("features", Some(self.features.0)),
            ("reset", self.reset.map(|reset| u32::from(reset.code()))),
            ("state", self.state.map(|state| u32::from(state.code()))),
        ];
        for (key, value) in numbers {
            if let Some(value) = value {
                cbor::put_u32(enc, key, value)?;
            }
        }
        if let Some(rollback) = self.rollback {
            cbor::key(enc, "rollback")?;
            Fields::new()
                .count(true)
                .count(rollback.from.is_some())
                .begin(enc)?;
            cbor::put_u32(enc, "reason", u32::from(rollback.reason.code()))?;
            if let Some(from) = rollback.from {
                cbor::put_str(enc, "from", from)?;
            }
        }
        if let Some(trial) = self.trial {
            cbor::key(enc, "trial")?;
            Fields::new()
                .count(true)
                .count(trial.deadline.is_some())
                .begin(enc)?;
            cbor::put_u32(enc, "left", trial.left)?;
            if let Some(deadline) = trial.deadline {
                cbor::put_u32(enc, "deadline", deadline)?;
            }
        }
        if let Some(supply) = self.supply {
            cbor::key(enc, "supply")?;
            cbor::begin_map(enc, 3)?;
            cbor::put_u32(enc, "level", supply.level)?;
            cbor::put_u32(enc, "limit", supply.limit)?;
            cbor::put_bool(enc, "percent", supply.percent)?;
        }
        if let Some(golden) = self.golden {
            cbor::put_bytes(enc, "golden", &golden.to_bytes())?;
        }
        enc.end()?;
        Ok(())
    }
}

impl<'a> Rollback<'a> {
    fn decode(dec: &mut Decoder<'a>) -> Result<Self, DecodeError> {
        let (mut reason, mut from) = (None, None);
        cbor::map(dec, &mut |key, dec| {
            match key {
                "reason" => reason = Some(RollbackReason::from_code(dec.u8()?)),
                "from" => from = Some(cbor::text(dec)?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(Rollback {
            reason: reason.ok_or(DecodeError::Missing("reason"))?,
            from,
        })
    }
}

impl Supply {
    fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let mut supply = Supply::default();
        cbor::map(dec, &mut |key, dec| {
            match key {
                "level" => supply.level = dec.u32()?,
                "limit" => supply.limit = dec.u32()?,
                "percent" => supply.percent = dec.bool()?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(supply)
    }
}

impl Trial {
    fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let mut trial = Trial {
            left: 0,
            deadline: None,
        };
        cbor::map(dec, &mut |key, dec| {
            match key {
                "left" => trial.left = dec.u32()?,
                "deadline" => trial.deadline = Some(dec.u32()?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(trial)
    }
}

impl<'a> Item<'a> for Key<'a> {
    fn decode(dec: &mut Decoder<'a>) -> Result<Self, DecodeError> {
        let (mut alg, mut bytes) = (None, None);
        cbor::map(dec, &mut |key, dec| {
            match key {
                "alg" => alg = Some(Algorithm::from_code(dec.u8()?)),
                "key" => bytes = Some(cbor::bytes(dec)?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        let alg = alg.ok_or(DecodeError::Missing("alg"))?;
        Ok(Key {
            alg,
            key: bytes.ok_or(DecodeError::Missing("key"))?,
        })
    }

    fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        cbor::begin_map(enc, 2)?;
        cbor::put_u32(enc, "alg", u32::from(self.alg.code()))?;
        cbor::put_bytes(enc, "key", self.key)
    }
}

impl<'a> Item<'a> for Slot {
    fn decode(dec: &mut Decoder<'a>) -> Result<Self, DecodeError> {
        let mut it = Slot::default();
        cbor::map(dec, &mut |key, dec| {
            let place = match key {
                "slot" => &mut it.slot,
                "addr" => &mut it.addr,
                "size" => &mut it.size,
                "max" => &mut it.max,
                "erase" => &mut it.erase,
                "write" => &mut it.write,
                _ => return Ok(false),
            };
            *place = dec.u32()?;
            Ok(true)
        })?;
        Ok(it)
    }

    fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        cbor::begin_map(enc, 6)?;
        let numbers = [
            ("slot", self.slot),
            ("addr", self.addr),
            ("size", self.size),
            ("max", self.max),
            ("erase", self.erase),
            ("write", self.write),
        ];
        for (key, value) in numbers {
            cbor::put_u32(enc, key, value)?;
        }
        Ok(())
    }
}

fn uuid<'a>(dec: &mut Decoder<'a>) -> Result<&'a [u8; 16], DecodeError> {
    cbor::bytes(dec)?.try_into().map_err(|_| DecodeError::Cbor)
}
