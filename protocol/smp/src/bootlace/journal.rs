//! The board's last updates, newest first.

use minicbor::decode::Decoder;

use crate::cbor::{self, Encoder, Item};
use crate::{DecodeError, EncodeError};

use super::RollbackReason;
pub use super::codes::Outcome;

/// Version of an image without its build number, which a record has no room for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release {
    /// First number.
    pub major: u8,
    /// Second number.
    pub minor: u8,
    /// Third number.
    pub revision: u16,
}

impl Release {
    /// On the wire and in flash: major, minor, revision little-endian.
    pub const fn to_bytes(self) -> [u8; 4] {
        let [low, high] = self.revision.to_le_bytes();
        [self.major, self.minor, low, high]
    }

    /// The same, read.
    pub const fn from_bytes([major, minor, low, high]: [u8; 4]) -> Self {
        let revision = u16::from_le_bytes([low, high]);
        Release {
            major,
            minor,
            revision,
        }
    }
}

/// One update that the board began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Update {
    /// What ran before; 0.0.0 where nothing did.
    pub from: Release,
    /// What was to run.
    pub to: Release,
    /// At which start of the board: it counts those that changed its records, up to 65535.
    pub start: u16,
    /// What came of it.
    pub outcome: Outcome,
    /// Why; of no meaning while on trial and where it was confirmed.
    pub reason: RollbackReason,
}

impl Item<'_> for Update {
    fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let mut update = Update {
            from: Release::default(),
            to: Release::default(),
            start: 0,
            outcome: Outcome::Trial,
            reason: RollbackReason::NotConfirmed,
        };
        cbor::map(dec, &mut |key, dec| {
            match key {
                "from" => update.from = release(dec)?,
                "to" => update.to = release(dec)?,
                "start" => update.start = dec.u16()?,
                "outcome" => update.outcome = Outcome::from_code(dec.u8()?),
                "reason" => update.reason = RollbackReason::from_code(dec.u8()?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(update)
    }

    fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        cbor::begin_map(enc, 5)?;
        cbor::put_bytes(enc, "from", &self.from.to_bytes())?;
        cbor::put_bytes(enc, "to", &self.to.to_bytes())?;
        cbor::put_u32(enc, "start", u32::from(self.start))?;
        cbor::put_u32(enc, "outcome", u32::from(self.outcome.code()))?;
        cbor::put_u32(enc, "reason", u32::from(self.reason.code()))
    }
}

pub(super) fn release(dec: &mut Decoder<'_>) -> Result<Release, DecodeError> {
    let bytes = cbor::bytes(dec)?.try_into().map_err(|_| DecodeError::Cbor)?;
    Ok(Release::from_bytes(bytes))
}
