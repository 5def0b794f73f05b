//! Which board a session waits for, and whether another one is it.

use alloc::string::String;
use alloc::vec::Vec;

use bootlace_smp::frame::Framing;

use crate::BoardInfo;

/// Why the board is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum FindReason {
    /// It was told to restart.
    Restart,
    /// It went away by itself, or somebody pulled the cable.
    Unplugged,
}

/// Which board a session waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its serial number, where it has said one.
    pub serial: Option<String>,
    /// Hashes of images of which the board has one: how a board without a serial number is known.
    pub hashes: Vec<Vec<u8>>,
    /// Why it is not there.
    pub reason: FindReason,
    /// How it spoke before.
    pub(crate) known: Known,
}

/// Whether a board may be the one that is waited for, and what says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// It is another one.
    No,
    /// It may be: both have an image in common, or neither names any.
    Images,
    /// It is: its serial number says so.
    Serial,
}

impl Wanted {
    /// This board.
    pub(crate) fn of(board: &BoardInfo, reason: FindReason) -> Self {
        let mut hashes: Vec<_> = board.images.iter().map(|image| image.hash.clone()).collect();
        hashes.retain(|hash| !hash.is_empty());
        Wanted {
            serial: board.serial.clone(),
            hashes,
            reason,
            known: Known::of(board),
        }
    }

    /// Whether `found` may be this board: by serial number where both have one, by images otherwise.
    pub fn matches(&self, found: &BoardInfo) -> Match {
        match (&self.serial, &found.serial) {
            (Some(wanted), Some(found)) if wanted == found => return Match::Serial,
            (Some(_), Some(_)) => return Match::No,
            _ => {}
        }
        let hashes = || {
            found
                .images
                .iter()
                .map(|image| &image.hash)
                .filter(|hash| !hash.is_empty())
        };
        let nothing_to_compare = self.hashes.is_empty() || hashes().next().is_none();
        if self.serial.is_none() && nothing_to_compare || hashes().any(|hash| self.hashes.contains(hash)) {
            Match::Images
        } else {
            Match::No
        }
    }
}

/// What is known of the board before it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// Nothing: every framing is tried.
    Nothing,
    /// It reads lines or COBS. Raw packets are not tried: they have no CRC.
    Checked,
    /// The same, and it describes itself: silence about that is not an answer.
    Described,
    /// It takes raw packets, and nothing else.
    Raw,
}

impl Known {
    pub(crate) fn of(board: &BoardInfo) -> Self {
        match board.framing {
            Some(Framing::Raw) => Known::Raw,
            _ if board.is_bootlace() => Known::Described,
            _ => Known::Checked,
        }
    }

    /// What a driver knows that knows the framing.
    pub(crate) fn of_framing(framing: Option<Framing>) -> Self {
        match framing {
            Some(Framing::Raw) => Known::Raw,
            Some(_) => Known::Checked,
            None => Known::Nothing,
        }
    }
}
