//! What goes into a transfer, and what it tells.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use bootlace_loader::Action;

use crate::reply::Code;
use crate::request::Op;

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// The init packet.
    pub init: Vec<u8>,
    /// The firmware: whole words of 4 bytes, as the loader writes no other.
    pub firmware: Vec<u8>,
}

/// The chip and the loader that a firmware is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The chip's part number, by its own word (FICR `INFO.PART`): 0x52840.
    pub part: u32,
    /// The end of the firmware's memory map: the loader begins there or behind.
    pub end: u32,
}

/// What a transfer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The loader is asked who and where it is.
    Greeting,
    /// The init packet is sent, and judged by the loader.
    Init,
    /// The firmware is sent.
    Firmware,
    /// The loader judges the whole firmware.
    Judging,
}

/// What goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// It does this now.
    Stage(Stage),
    /// So much of the firmware has arrived, as the loader says.
    Progress {
        /// Bytes.
        done: u32,
        /// Bytes in all.
        total: u32,
    },
    /// It is over.
    Ended(Ended),
}

/// How a transfer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The loader has all of it, found it right, and starts it.
    Installed,
    /// It was cancelled.
    Cancelled {
        /// Whether what the board ran before no longer starts.
        changed: bool,
    },
    /// It failed.
    Failed {
        /// What it did.
        stage: Stage,
        /// Why.
        fault: Fault,
        /// Whether what the board ran before no longer starts.
        changed: bool,
    },
}

/// Why a transfer failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The port has left.
    Gone,
    /// Nothing answers, or no longer.
    Silent,
    /// The system, in its words.
    System(String),
    /// The loader refused a request.
    Refused {
        /// Which one.
        op: Op,
        /// Why.
        code: Code,
    },
    /// The answer to a request is none.
    Nonsense(Op),
    /// It is another chip.
    OtherChip {
        /// Its part number.
        part: u32,
    },
    /// Its loader begins within what the firmware will use.
    OtherLoader {
        /// Where.
        at: u32,
    },
    /// The init packet is longer than the loader takes.
    InitTooLong {
        /// Its length.
        len: u32,
        /// What the loader takes.
        most: u32,
    },
    /// What was sent arrives damaged, however often.
    Damaged,
}

/// What whoever drives a transfer does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// This at the port, which may take so long: [`Action::Out`], or [`Action::In`], which gives what has arrived.
    Do(Action, Duration),
    /// Nothing any more: [`News::Ended`] was told.
    Over,
}
