//! What the bench and its boards say to each other.

use std::rc::Rc;

use bootlace_image::PublicKey;

use super::file::File;
use super::patches::{Between, Patch};
use super::ports::{Port, SerialPort};
use crate::messages::{BoardId, Command, Trust};

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
    /// This port may be its own.
    Try(Port),
    /// No port is left to try.
    NoneLeft,
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

/// Why a board has no port any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// It is gone, or the board restarts: the same port may be tried again.
    Away,
    /// It is another board's or another program's: it is not tried again until ports change.
    NotOurs,
}

/// Why a board is let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LetGo {
    /// Somebody asked for that, or the port is gone.
    Released,
    /// Nobody is there that is a board: the port is left alone until somebody asks for it or plugs it in again.
    Stranger,
}

/// From a board to the bench.
pub(super) enum Report {
    /// Its port is closed.
    Closed(Closed),
    /// It waits for its port.
    Searching,
    /// It said who it is, and which keys it accepts.
    Known(Vec<PublicKey>),
    /// An update begins or ends.
    Busy(bool),
    /// It would send this patch.
    WantsPatch(Between),
    /// It is let go.
    Gone(LetGo),
}

/// Everything that the bench hears.
pub(super) enum Input {
    /// From the view, with the bytes that were handed over.
    Command(Command, Vec<u8>),
    /// From a board.
    Report(BoardId, Report),
    /// Ports came or went.
    PortsChanged,
    /// The serial ports that there are; `asked`: a person waits for the result.
    Ports(Vec<SerialPort>, bool),
    /// How it is with a patch.
    Patch(Between, Patch),
    /// Another image was saved.
    Saved,
}
