//! The parts of what the page shows.

use std::rc::Rc;

use bootlace_engine::BoardInfo;
use bootlace_engine::words::page as words;
use bootlace_image::PublicKey;

use crate::messages::{BoardId, Cable, Ending, ImageInfo, Offer, Problem, Running, Step, Via};

/// A list of ports that the browser shows for a person to choose from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chooser {
    /// Web Serial's.
    Serial,
    /// WebUSB's.
    Usb,
}

/// Which of them this browser has for this page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choosers {
    /// Web Serial's.
    pub serial: bool,
    /// WebUSB's.
    pub usb: bool,
}

impl Default for Choosers {
    /// Until the browser was asked.
    fn default() -> Self {
        Choosers {
            serial: true,
            usb: false,
        }
    }
}

impl Choosers {
    /// The one behind the large button: any board may have a serial port.
    pub fn first(self) -> Chooser {
        if self.serial {
            Chooser::Serial
        } else {
            Chooser::Usb
        }
    }

    /// The other one, where there are two.
    pub fn second(self) -> Option<Chooser> {
        (self.serial && self.usb).then_some(Chooser::Usb)
    }
}

/// The part of the page that installs a board's first companion. It is loaded when it is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NewBoard {
    /// Not wanted.
    #[default]
    Closed,
    /// On its way.
    Loading,
    /// It is seen, and the page is not.
    Open,
}

/// The firmware that was chosen.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Chosen {
    /// No file yet.
    #[default]
    None,
    /// A file is being read and examined.
    Reading {
        /// Its name.
        file: String,
    },
    /// The file is no image that can be used.
    Refused {
        /// Its name.
        file: String,
        /// Why.
        problem: Problem,
    },
    /// An image.
    Image(Rc<ImageInfo>),
}

/// A key that the person added, as this browser keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedKey {
    /// As the person named it.
    pub name: String,
    /// The day on which it was added, as `2026-11-28`; empty where that was not kept.
    pub added: String,
    /// The key.
    pub key: PublicKey,
}

impl TrustedKey {
    /// All keys of a file that the person added on a day, each with a name of its own.
    pub fn of_file(file: &str, keys: &[PublicKey], day: &str) -> Vec<TrustedKey> {
        let name = file.strip_suffix(".pem").unwrap_or(file);
        let numbered = (1..).zip(keys);
        numbered
            .map(|(number, key)| TrustedKey {
                name: words::key_name(name, number, keys.len()),
                added: day.to_owned(),
                key: *key,
            })
            .collect()
    }
}

/// What came with the page to try it with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Demo {
    /// The key that the simulated board trusts.
    pub key: Option<PublicKey>,
    /// What the simulated board is called.
    pub board: String,
    /// Images on offer. The first one is what the simulated board runs when it is plugged in.
    pub images: Vec<DemoImage>,
}

/// An image that came with the page.
#[derive(Clone, Debug, PartialEq)]
pub struct DemoImage {
    /// As people call it.
    pub title: String,
    /// Address below `demo/`.
    pub file: String,
}

/// A board, or a port that is being asked whether it is one.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its number.
    pub id: BoardId,
    /// The way to it.
    pub via: Via,
    /// Whether it is there.
    pub cable: Cable,
    /// What it said; none until it answered.
    pub board: Option<Rc<BoardInfo>>,
    /// What the button would do.
    pub offer: Option<Rc<Offer>>,
    /// What is being done.
    pub work: Work,
}

impl Entry {
    /// A port that was taken just now.
    pub fn new(id: BoardId, via: Via) -> Self {
        Entry {
            id,
            via,
            cable: Cable::Connected,
            board: None,
            offer: None,
            work: Work::Idle,
        }
    }

    /// An update runs.
    pub fn is_busy(&self) -> bool {
        matches!(self.work, Work::Running { .. })
    }

    /// The person let it go in the middle of an update.
    pub fn is_left(&self) -> bool {
        matches!(&self.work, Work::Ended { ending, .. } if **ending == Ending::Left)
    }

    /// The board said that its supply is too low for an update.
    pub fn is_low(&self) -> bool {
        let supply = self.board.as_ref().and_then(|board| board.supply);
        supply.is_some_and(|supply| supply.is_low())
    }
}

/// What is being done with a board.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Work {
    /// Nothing.
    #[default]
    Idle,
    /// An update.
    Running {
        /// Where it is.
        running: Rc<Running>,
        /// Cancelling was asked for.
        cancelling: bool,
    },
    /// An update ended.
    Ended {
        /// How.
        ending: Rc<Ending>,
        /// The last step that was reached.
        reached: Step,
    },
}
