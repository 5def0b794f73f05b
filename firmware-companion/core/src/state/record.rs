//! One record of the state area: what happened, in 16 bytes with a checksum.

use bootlace_image::Version;
use bootlace_smp::bootlace::{JournalEntry, JournalOutcome, Release, RollbackReason};

/// Bytes of a record before it is padded to the chip's write size: kind, argument, 10 of body, CRC-32.
pub(crate) const LEN: usize = 16;

/// Why a swap is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SwapKind {
    /// The new image must confirm itself, or it is reverted.
    Test,
    /// The new image is taken as confirmed.
    Permanent,
    /// The previous image comes back.
    Revert,
}

/// All that a swap needs to know to be continued after a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwapPlan {
    /// Why.
    pub kind: SwapKind,
    /// Units of the image that goes into the primary slot.
    pub incoming: u16,
    /// Units of the image that leaves the primary slot.
    pub outgoing: u16,
    /// The incoming image starts one unit above the secondary slot's first byte.
    pub shifted: bool,
}

/// What is appended to the state area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// This unit is complete; the unit with the highest generation counts.
    Header {
        /// Counts up at each change of unit.
        generation: u32,
    },
    /// The security counter that images must reach.
    Counter(u32),
    /// Whether the secondary slot still holds the image that the last swap saved there.
    Saved(bool),
    /// A swap was planned; from here on it is carried out, whatever happens.
    SwapStart(SwapPlan),
    /// So many of the swap's page copies are complete.
    SwapMark(u16),
    /// The swap and its trailers are complete.
    SwapEnd,
    /// The image on trial was started so many times.
    Trial(u8),
    /// The image on trial confirmed itself.
    Confirmed,
    /// The image of this version was given up.
    Rollback(RollbackReason, Version),
    /// So many starts of the board changed its records.
    Starts(u16),
    /// An update was begun, refused, or replaced by the golden image.
    Update(JournalEntry),
    /// An upload of `len` bytes began; `sha` is the start of the file's digest. Kept in the slot that it goes to.
    Upload {
        /// Length of the file in bytes.
        len: u32,
        /// First bytes of its SHA-256.
        sha: [u8; 6],
    },
}

fn crc32(data: &[u8]) -> u32 {
    // The reflected CRC-32 of Ethernet, a bit at a time: 14 bytes are not worth a table.
    !data.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

/// Two numbers of 16 bits as one.
fn pair(low: u16, high: u16) -> u32 {
    u32::from(low) | u32::from(high) << 16
}

fn high(word: u32) -> u16 {
    (word >> 16) as u16
}

impl Record {
    /// Kind, argument, and the body in two words and a half.
    fn parts(self) -> (u8, u8, u32, u32, u16) {
        match self {
            Record::Header { generation } => (0xB0, 1, generation, 0, 0),
            Record::Counter(value) => (1, 0, value, 0, 0),
            Record::Saved(on) => (2, u8::from(on), 0, 0, 0),
            Record::SwapStart(plan) => {
                let units = pair(plan.incoming, plan.outgoing);
                (3, plan.kind as u8, units, u32::from(plan.shifted), 0)
            }
            Record::SwapMark(done) => (4, 0, u32::from(done), 0, 0),
            Record::SwapEnd => (5, 0, 0, 0, 0),
            Record::Trial(used) => (6, used, 0, 0, 0),
            Record::Confirmed => (7, 0, 0, 0, 0),
            Record::Rollback(reason, version) => {
                let first = u16::from_le_bytes([version.major, version.minor]);
                (8, reason.code(), pair(first, version.revision), version.build, 0)
            }
            Record::Upload { len, sha } => {
                let [a, b, c, d, e, f] = sha;
                let (first, last) = (u32::from_le_bytes([a, b, c, d]), u16::from_le_bytes([e, f]));
                (9, 0, len, first, last)
            }
            Record::Starts(starts) => (10, 0, u32::from(starts), 0, 0),
            Record::Update(update) => {
                let (from, to) = (update.from.to_bytes(), update.to.to_bytes());
                // The outcome is part of the kind: the argument is the reason's.
                let kind = UPDATE | update.outcome.code() & 0xF;
                let (from, to) = (u32::from_le_bytes(from), u32::from_le_bytes(to));
                (kind, update.reason.code(), from, to, update.start)
            }
        }
    }

    #[inline(never)]
    pub(crate) fn encode(self) -> [u8; LEN] {
        let (kind, argument, low, middle, last) = self.parts();
        let words = [
            pair(u16::from_le_bytes([kind, argument]), low as u16),
            pair(high(low), middle as u16),
            pair(high(middle), last),
        ];
        let mut out = [0; LEN];
        for (place, word) in out.as_chunks_mut().0.iter_mut().zip(words) {
            *place = word.to_le_bytes();
        }
        let (data, check) = out.split_at_mut(LEN - 4);
        check.copy_from_slice(&crc32(data).to_le_bytes());
        out
    }

    /// `None` for anything that is not a whole, valid record.
    #[inline(never)]
    pub(crate) fn decode(bytes: &[u8; LEN]) -> Option<Self> {
        let mut words = [0; LEN / 4];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        let [first, second, third, check] = words;
        let (data, _) = bytes.split_at(LEN - 4);
        if check != crc32(data) {
            return None;
        }
        let [kind, argument, ..] = first.to_le_bytes();
        let low = pair(high(first), second as u16);
        let middle = pair(high(second), third as u16);
        Some(match kind {
            0xB0 if argument == 1 => Record::Header { generation: low },
            1 => Record::Counter(low),
            2 => Record::Saved(argument != 0),
            3 => Record::SwapStart(SwapPlan {
                kind: match argument {
                    0 => SwapKind::Test,
                    1 => SwapKind::Permanent,
                    2 => SwapKind::Revert,
                    _ => return None,
                },
                incoming: low as u16,
                outgoing: high(low),
                shifted: middle & 0xFF != 0,
            }),
            4 => Record::SwapMark(low as u16),
            5 => Record::SwapEnd,
            6 => Record::Trial(argument),
            7 => Record::Confirmed,
            8 => Record::Rollback(
                RollbackReason::from_code(argument),
                Version {
                    major: low as u8,
                    minor: (low >> 8) as u8,
                    revision: high(low),
                    build: middle,
                },
            ),
            9 => {
                let ([a, b, c, d], [e, f]) = (middle.to_le_bytes(), high(third).to_le_bytes());
                Record::Upload {
                    len: low,
                    sha: [a, b, c, d, e, f],
                }
            }
            10 => Record::Starts(low as u16),
            kind if kind & 0xF0 == UPDATE => Record::Update(JournalEntry {
                from: Release::from_bytes(low.to_le_bytes()),
                to: Release::from_bytes(middle.to_le_bytes()),
                start: high(third),
                outcome: JournalOutcome::from_code(kind & 0xF),
                reason: RollbackReason::from_code(argument),
            }),
            _ => return None,
        })
    }
}

/// Kinds of records from here on are updates.
const UPDATE: u8 = 0x20;

#[cfg(test)]
fn update(major: u8, outcome: JournalOutcome) -> JournalEntry {
    let release = Release {
        major,
        minor: 3,
        revision: 0x1234,
    };
    JournalEntry {
        from: Release { minor: 2, ..release },
        to: release,
        start: 0xBEEF,
        outcome,
        reason: RollbackReason::self_test(5),
    }
}

#[cfg(test)]
pub(super) fn every() -> [Record; 15] {
    let version = Version {
        major: 7,
        minor: 27,
        revision: 0x1234,
        build: 0xDEAD_BEEF,
    };
    let plan = SwapPlan {
        kind: SwapKind::Revert,
        incoming: 300,
        outgoing: 7,
        shifted: true,
    };
    [
        Record::Header { generation: 9 },
        Record::Counter(0x0102_0304),
        Record::Saved(true),
        Record::SwapStart(plan),
        Record::SwapStart(SwapPlan {
            kind: SwapKind::Test,
            shifted: false,
            ..plan
        }),
        Record::SwapMark(513),
        Record::SwapEnd,
        Record::Trial(2),
        Record::Confirmed,
        Record::Rollback(RollbackReason::NotConfirmed, version),
        Record::Upload {
            len: 262_144,
            sha: [1, 2, 3, 4, 5, 6],
        },
        Record::Starts(0xABCD),
        Record::Update(update(1, JournalOutcome::Trial)),
        Record::Update(update(2, JournalOutcome::Refused)),
        Record::Rollback(RollbackReason::Deadline, version),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_survives_its_encoding() {
        for record in every() {
            assert_eq!(Record::decode(&record.encode()), Some(record));
        }
    }

    #[test]
    fn a_flipped_bit_makes_a_record_invalid() {
        for record in every() {
            let good = record.encode();
            for bit in 0..LEN * 8 {
                let mut bad = good;
                bad[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(Record::decode(&bad), None, "{record:?} bit {bit}");
            }
        }
        assert_eq!(Record::decode(&[0xFF; LEN]), None);
        assert_eq!(Record::decode(&[0; LEN]), None);
    }
}
