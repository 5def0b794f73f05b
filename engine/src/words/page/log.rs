//! Lines of the page's log.

use alloc::format;
use alloc::string::{String, ToString};

use serde::{Deserialize, Serialize};

use super::super::{self as words, bytes};
use super::board::Via;
use super::figures::spelled;
use super::problem::{Problem, problem};
use super::update::{self, PatchFate, Sends, patch_fate};
use crate::{Attention, BoardInfo, Outcome, Phase, Role};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogFact {
    /// A port was opened.
    Opened(Via),
    /// The board stalled an endpoint of its vendor interface, and the stall was cleared.
    Stalled,
    /// A board said who it is.
    Met {
        /// Its name, where it has one.
        name: Option<String>,
        /// Its serial number, where it has one.
        serial: Option<String>,
        /// Who answers.
        role: Option<Role>,
        /// The version that it runs, as it spells it.
        version: Option<String>,
    },
    /// The board's port went away while nothing was being done.
    Unplugged,
    /// Another board is at the port that was tried.
    OtherBoard {
        /// Its serial number, where it has one.
        serial: Option<String>,
    },
    /// The person asked for an update.
    Started,
    /// The person asked to cancel it.
    CancelAsked,
    /// The person let the board go while it was being updated.
    Left,
    /// What is sent.
    Sends(Sends),
    /// What became of the patch.
    Patch(PatchFate),
    /// The board holds a part of the image already.
    Resumed {
        /// Bytes.
        offset: u32,
    },
    /// The update is in this phase from here on.
    Phase(Phase),
    /// The person may have to do something.
    Attention(Attention),
    /// An update ended.
    Outcome(Outcome),
    /// Something went wrong.
    Problem(Problem),
}

impl LogFact {
    /// What is said of a board when it is met.
    pub fn met(board: &BoardInfo) -> Self {
        LogFact::Met {
            name: board.name.clone(),
            serial: board.serial.clone(),
            role: board.role,
            version: board.running().map(|image| image.version.clone()),
        }
    }
}

/// A line of the log.
pub fn log(fact: &LogFact) -> String {
    match fact {
        LogFact::Opened(Via::Serial(Some((vendor, product)))) => {
            format!("Port {vendor:04x}:{product:04x} opened")
        }
        LogFact::Opened(Via::Usb((vendor, product))) => {
            format!("USB device {vendor:04x}:{product:04x} opened")
        }
        LogFact::Stalled => "The board refused a transfer; going on".into(),
        LogFact::Opened(Via::Serial(None)) => "Port opened".into(),
        LogFact::Opened(Via::Simulated) => "Port of the simulated board opened".into(),
        LogFact::Met {
            name,
            serial,
            role,
            version,
        } => {
            let name = name
                .as_deref()
                .filter(|name| !name.is_empty())
                .unwrap_or("A board");
            let serial = serial.as_deref().unwrap_or("without a serial number");
            let version = version
                .as_deref()
                .map_or_else(|| "no firmware".to_string(), spelled);
            match *role {
                Some(Role::Bootloader) => {
                    format!("{name} ({serial}) answers from its bootloader; it holds {version}")
                }
                Some(_) => format!("{name} ({serial}) answers; it runs {version}"),
                None => format!("{name} ({serial}) answers, without Bootlace’s companion; it runs {version}"),
            }
        }
        LogFact::Unplugged => "Unplugged".into(),
        LogFact::OtherBoard { serial: Some(serial) } => format!("Another board is there: {serial}"),
        LogFact::OtherBoard { serial: None } => "Another board is there, without a serial number".into(),
        LogFact::Started => "Update started".into(),
        LogFact::CancelAsked => "Cancel asked for".into(),
        LogFact::Left => "Disconnected before the update had ended".into(),
        LogFact::Sends(Sends::Whole(reason)) => words::no_patch(*reason),
        LogFact::Sends(sends) => update::sends(sends, None).unwrap_or_default(),
        LogFact::Patch(fate) => patch_fate(fate, false),
        LogFact::Resumed { offset } => format!("The board holds {} already", bytes(*offset)),
        LogFact::Phase(phase) => words::phase(*phase).into(),
        LogFact::Attention(attention) => words::attention(*attention).into(),
        LogFact::Outcome(outcome) => words::outcome(outcome),
        LogFact::Problem(fact) => {
            let sentence = problem(fact);
            format!("{}: {}", sentence.name, sentence.what)
        }
    }
}
