//! What a session says, and what it is told about ports.

use alloc::boxed::Box;
use alloc::string::String;
use core::time::Duration;

use bootlace_image::Version;
use bootlace_smp::bootlace::RollbackReason;

use crate::{BoardInfo, Content, Failure, NoPatch, Phase, Wanted};

/// Something happened to the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortEvent {
    /// A port is open: the first one, or one that [`Event::FindBoard`] asked for. The session asks who is there.
    Opened(PortInfo),
    /// The port is gone: unplugged, failed, or closed by somebody.
    Lost,
    /// Nothing that may be the board is plugged in, or every port was tried.
    NotFound,
}

/// What is known of a port without asking the board.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortInfo {
    /// USB vendor id.
    pub vid: Option<u16>,
    /// USB product id.
    pub pid: Option<u16>,
    /// Baud rate that it was opened at; `None` for a port without one.
    pub baud: Option<u32>,
}

/// What a session says. In the order in which it happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The board said what it is: at first contact, and each time that this may have changed.
    Board(Box<BoardInfo>),
    /// Another phase began. Each one begins at most once in a row.
    Phase(Phase),
    /// An upload moved on: at most ten times a second, and at its end.
    Progress(Progress),
    /// The upload goes on where the board has it: after an unplug, or from an earlier try.
    Resumed {
        /// Bytes that the board holds already.
        offset: u32,
    },
    /// The patch is of no use: the whole image is sent instead.
    WholeInstead(NoPatch),
    /// Find the board's port, open it, and say [`PortEvent::Opened`]. Candidates are all ports, the one before first:
    /// an application may have another port or product id.
    FindBoard {
        /// Whom to look for. Its serial number is often the port's too.
        wanted: Wanted,
    },
    /// The image is marked, and the update waits for [`Session::allow_restart`](crate::Session::allow_restart), as
    /// [`Options::restart`](crate::Options) asked for.
    WantsRestart,
    /// The open port is not the board's: close it and try the next.
    WrongBoard {
        /// The serial number of the board that is there; `None`: nobody that could be understood, or it has none.
        found: Option<String>,
    },
    /// The person may have to do something; the session goes on waiting.
    Attention(Attention),
    /// A command is done.
    Done(Command),
    /// An update ended, and the board said how.
    Outcome(Outcome),
    /// What was under way ended without the board's word. If a port is open the session is of use again.
    Failed(Failure),
}

/// What a person may have to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Attention {
    /// Unplugged in the middle of an upload: plug it in again, and it goes on.
    Unplugged,
    /// Restarted, but no port shows it, longer than a swap takes: its application may have no port. It can be asked
    /// in its bootloader: reset it into that, or wait.
    NoPort,
    /// The port is there, but nobody answers: the application may not serve SMP, or hangs.
    NoAnswer,
    /// It waits in its bootloader with the new image on trial: nothing has confirmed it so far.
    WaitsInBootloader,
    /// The updater was to confirm the new image, and the board leaves that to the image's own self-test.
    ConfirmsItself,
}

impl Attention {
    /// Its name, for logs and scripts.
    pub const fn name(self) -> &'static str {
        match self {
            Attention::Unplugged => "Unplugged",
            Attention::NoPort => "NoPort",
            Attention::NoAnswer => "NoAnswer",
            Attention::WaitsInBootloader => "WaitsInBootloader",
            Attention::ConfirmsItself => "ConfirmsItself",
        }
    }
}

/// How far an upload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Progress {
    /// What goes over the line.
    pub content: Content,
    /// Bytes that the board acknowledged.
    pub done: u32,
    /// Bytes in all.
    pub total: u32,
    /// Bytes a second, smoothed over about two seconds; `None` until it is known.
    pub rate: Option<u32>,
    /// Time left at that rate.
    pub remaining: Option<Duration>,
}

/// How an update ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Outcome {
    /// The new image ran, proved itself, is confirmed, and the board said so.
    Confirmed {
        /// The version that runs.
        version: Version,
        /// From [`start`](crate::Session::start) to here.
        took: Duration,
        /// Who said so.
        by: Witness,
    },
    /// The board took the old image back, or never started the new one.
    RolledBack {
        /// Why, where the board keeps such records.
        reason: Option<RollbackReason>,
        /// The version that runs, as the board spells it.
        version: Option<String>,
        /// The version that failed.
        failed: Version,
    },
    /// The board runs what it ran.
    Unchanged {
        /// Why.
        reason: Unchanged,
        /// The version that runs, as the board spells it.
        version: Option<String>,
    },
}

/// Who said that the new image is confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Witness {
    /// The board, running it.
    Itself,
    /// The board's bootloader, which was asked because the image has no port. It was told to start the image since, and the
    /// board has been silent from then on.
    Bootloader,
}

/// Why a board runs what it ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Unchanged {
    /// It runs that very image, confirmed.
    AlreadyRuns,
    /// The update was cancelled before anything was marked.
    Cancelled,
    /// It restarted without starting the new image, and gave no reason: its bootloader refused it.
    NotStarted,
}

/// A thing that can be asked of a board outside of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Command {
    /// Ask again who it is. Ends in [`Event::Board`].
    Refresh,
    /// Ask for its last updates, if it keeps a journal. Ends in [`Event::Board`].
    Journal,
    /// Have the image in the other slot tried at the next restart.
    Test,
    /// Confirm the image that runs.
    Confirm,
    /// Restart it.
    Reset {
        /// Stay in the bootloader.
        bootloader: bool,
    },
    /// Erase the secondary slot.
    Erase,
}
