//! An update: what it would do, where it is, how it ended.

use serde::{Deserialize, Serialize};

use super::Problem;

/// What the button would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Plan {
    /// It can be done.
    Ready {
        /// In which direction.
        way: Way,
        /// The version that runs, if one does.
        from: Option<String>,
        /// The version of the image.
        to: String,
        /// The board holds the image already: nothing has to be sent.
        stored: bool,
        /// What would be sent.
        sends: Sends,
    },
    /// It can't be done.
    Refused(Problem),
}

/// What goes over the cable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sends {
    /// The whole image: there is no shorter way.
    #[default]
    Whole,
    /// The whole image, though the board takes patches; why, as a sentence.
    WholeBecause(String),
    /// The whole image, because the person wants it so.
    WholeWanted,
    /// What it would be is being worked out; percent.
    Making(u32),
    /// A patch: `6 KB instead of 297 KB, about 21 s less`.
    Patch(String),
}

/// In which direction an update goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Way {
    /// The board has nothing to run.
    Install,
    /// To a newer version.
    Update,
    /// To an older version.
    Downgrade,
    /// It runs this very image, confirmed: there is nothing to do.
    Nothing,
    /// It runs this very image on trial: only the end of that is left.
    Watch,
    /// The same version, other contents.
    Replace,
}

/// The steps of an update in the order in which they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Phase {
    /// The image is checked against the board.
    Verify,
    /// The image goes over the cable.
    Send,
    /// The board restarts.
    Restart,
    /// The bootloader swaps the slots.
    Swap,
    /// The new image runs and must prove itself.
    Trial,
    /// The new image stays.
    Confirmed,
}

impl Progress {
    /// At the start of a step.
    pub fn at(phase: Phase, total: u32) -> Self {
        Progress {
            phase,
            done: 0,
            total,
            rate: None,
            remaining: None,
            hint: None,
            patch: false,
            note: None,
        }
    }
}

impl Phase {
    /// All of them in order.
    pub const ALL: [Self; 6] = [
        Self::Verify,
        Self::Send,
        Self::Restart,
        Self::Swap,
        Self::Trial,
        Self::Confirmed,
    ];
}

/// What became of a patch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Note {
    /// It goes, or went, in place of the image: `6 KB instead of 297 KB, about 21 s less`.
    Saves(String),
    /// The whole image goes, or went; why, as a sentence.
    Whole(String),
}

/// Where an update is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The step.
    pub phase: Phase,
    /// Bytes that the board acknowledged.
    pub done: u32,
    /// Bytes in all.
    pub total: u32,
    /// Bytes a second, once it is known.
    pub rate: Option<u32>,
    /// Seconds left in this step, once they are known.
    pub remaining: Option<u32>,
    /// What the person may have to do.
    pub hint: Option<String>,
    /// It is about a patch: it is made, or goes over the cable in place of the image.
    pub patch: bool,
    /// What became of the patch.
    pub note: Option<Note>,
}

/// How an update ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The new image runs, proved itself, is confirmed, and the board said so.
    Confirmed {
        /// The version that runs now.
        version: String,
        /// From click to confirmed, in milliseconds.
        took: u32,
        /// What became of the patch.
        note: Option<Note>,
    },
    /// The board took the old image back.
    RolledBack {
        /// The version that runs now.
        version: String,
        /// Why, as a sentence.
        reason: String,
    },
    /// The board runs what it ran; nothing was changed.
    Unchanged {
        /// Why, as a sentence.
        reason: String,
    },
    /// It ended without either.
    Failed(Problem),
}
