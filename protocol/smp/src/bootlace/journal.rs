//! The board's last updates, newest first.

use crate::DecodeError;
use crate::cbor::{Encoder, Item, Key, Kind, Reader, Value, entries};

use super::RollbackReason;
pub use super::codes::JournalOutcome;

/// Version of an image without its build number, which a record has no room for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
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
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct JournalEntry {
    /// What ran before; 0.0.0 where nothing did.
    pub from: Release,
    /// What was to run.
    pub to: Release,
    /// At which start of the board: it counts those that changed its records, up to 65535.
    pub start: u16,
    /// What came of it.
    pub outcome: JournalOutcome,
    /// Why; of no meaning while on trial and where it was confirmed.
    pub reason: RollbackReason,
}

impl Item<'_> for JournalEntry {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let wanted = const {
            &[
                (Key::FROM, Kind::Bytes),
                (Key::TO, Kind::Bytes),
                (Key::START, Kind::Half),
                (Key::OUTCOME, Kind::Byte),
                (Key::REASON, Kind::Byte),
            ]
        };
        let mut values = [Value::Absent; 5];
        entries(reader, wanted, &mut values)?;
        let [from, to, start, outcome, reason] = values;
        Ok(JournalEntry {
            from: release(from)?.unwrap_or_default(),
            to: release(to)?.unwrap_or_default(),
            start: start.half().unwrap_or(0),
            outcome: outcome
                .byte()
                .map_or(JournalOutcome::Trial, JournalOutcome::from_code),
            reason: reason
                .byte()
                .map_or(RollbackReason::NotConfirmed, RollbackReason::from_code),
        })
    }

    fn encode(&self, enc: &mut Encoder<'_>) {
        enc.map(5);
        enc.bytes(Key::FROM, &self.from.to_bytes());
        enc.bytes(Key::TO, &self.to.to_bytes());
        enc.number(Key::START, u32::from(self.start));
        enc.number(Key::OUTCOME, u32::from(self.outcome.code()));
        enc.number(Key::REASON, u32::from(self.reason.code()));
    }
}

/// The release that is the value of a key, if there is one.
pub(super) fn release(value: Value<'_>) -> Result<Option<Release>, DecodeError> {
    let Some(bytes) = value.bytes() else {
        return Ok(None);
    };
    let bytes = bytes.try_into().map_err(|_| DecodeError::Cbor)?;
    Ok(Some(Release::from_bytes(bytes)))
}
