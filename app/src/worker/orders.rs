//! What the bench and its boards say to each other.

use std::rc::Rc;

use bootlace_engine::BoardInfo;
use bootlace_image::PublicKey;

use super::file::File;
use super::greet::Met;
use super::patches::{Between, Patch};
use super::ports::Port;
use crate::messages::{BoardId, Command, Problem, Trust};

/// What all boards are to be brought to, and by whose keys.
#[derive(Default)]
pub(super) struct Wanted {
    /// The chosen file.
    pub(super) file: Option<Rc<File>>,
    /// Whom the person trusts.
    pub(super) trust: Trust,
    /// Whole images are to be sent, even where a patch would do.
    pub(super) whole: bool,
}

/// From the bench to a board.
pub(super) enum Order {
    /// Its board was found: go on with it.
    Adopt(Met),
    /// It is its turn to restart.
    MayRestart,
    /// This is wanted from here on: say what an update would do.
    Want(Rc<Wanted>),
    /// How it is with a patch.
    Patch(Between, Patch),
    /// Update the board.
    Update,
    /// Cancel that.
    Cancel,
    /// Ask the board again who it is.
    Refresh,
    /// Let the board go; only if nothing is under way, unless `anyway`.
    Release {
        /// Whatever is under way.
        anyway: bool,
    },
}

/// What became of a board's port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// It is gone, or the board restarts: whoever comes there is asked.
    Away,
    /// Another board is there: it is not asked again until ports change.
    NotOurs,
}

/// From a board to the bench.
pub(super) enum Report {
    /// Its port is closed.
    Closed(Closed),
    /// It waits for its board.
    Waits(bootlace_engine::Wanted),
    /// It wants to restart its board.
    WantsRestart(Box<BoardInfo>),
    /// It said who it is.
    Known {
        /// Its serial number, where it has one.
        serial: Option<String>,
        /// The keys that it accepts, as it says.
        keys: Vec<PublicKey>,
    },
    /// An update begins or ends.
    Busy(bool),
    /// It would send this patch.
    WantsPatch(Between),
    /// It is let go.
    Gone,
}

/// Everything that the bench hears.
pub(super) enum Input {
    /// From the view, with the bytes that were handed over.
    Command(Command, Vec<u8>),
    /// From a board.
    Report(BoardId, Report),
    /// Who is at a port.
    Greeted(BoardId, Result<Met, Problem>),
    /// Ports came or went.
    PortsChanged,
    /// The ports that there are, simulated boards' apart; `asked`: a person waits for the result.
    Ports(Vec<Port>, bool),
    /// How it is with a patch.
    Patch(Between, Patch),
    /// Another image was saved.
    Saved,
}
