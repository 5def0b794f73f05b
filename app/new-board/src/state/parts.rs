//! The parts of what is shown.

use std::rc::Rc;

use bootlace_image::PublicKey;
use bootlace_install::{Board, Part, Way};

/// The steps to a companion, in their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Which board.
    #[default]
    Board,
    /// Whose firmware it runs, and its name.
    Key,
    /// Its loader.
    Connect,
    /// What is there, and what will change.
    Check,
    /// The flash is changed and read back.
    Install,
    /// The companion starts.
    FirstStart,
}

impl Step {
    /// All of them.
    pub const ALL: [Step; 6] = [
        Step::Board,
        Step::Key,
        Step::Connect,
        Step::Check,
        Step::Install,
        Step::FirstStart,
    ];
}

/// The companions that the page has.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum List {
    /// The list is being loaded.
    #[default]
    Loading,
    /// There is none yet.
    Missing,
    /// There are these.
    There(Rc<[Companion]>),
}

/// A companion as it was built, before anybody's keys are in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Companion {
    /// The board that it is for.
    pub board: &'static Board,
    /// Its file's name.
    pub file: String,
    /// Its version.
    pub version: String,
    /// Bytes.
    pub size: u32,
    /// SHA-256.
    pub digest: [u8; 32],
}

/// What the browser offers to this page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offers {
    /// WebUSB.
    pub usb: bool,
    /// Web Serial.
    pub serial: bool,
    /// Folders that the page may write to.
    pub folders: bool,
}

impl Offers {
    /// Whether a way can be gone in this browser.
    pub fn has(self, way: Way) -> bool {
        match way {
            Way::Picoboot | Way::Dfuse => self.usb,
            Way::Uart | Way::Nordic => self.serial,
            // Where there are no folders, the file is downloaded.
            Way::Uf2 => true,
        }
    }
}

/// A key, and the file that it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedKey {
    /// The file's name.
    pub file: String,
    /// The key.
    pub key: PublicKey,
}

/// The key that is made here. Its private half is not part of what is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MadeKey {
    /// Its public half; none while it is being made.
    pub public: Option<PublicKey>,
    /// The file of its private half.
    pub saved: Option<SavedFile>,
    /// The person says that the file is there.
    pub kept: bool,
}

impl MadeKey {
    /// Whether its private half is safe.
    pub fn is_kept(&self) -> bool {
        self.saved
            .as_ref()
            .is_some_and(|saved| saved.is_sure || self.kept)
    }
}

/// A file that a person got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedFile {
    /// Its name.
    pub name: String,
    /// The browser has written it to its end. A download may still be refused, or deleted.
    pub is_sure: bool,
}

/// What the board will start.
#[derive(Clone, Debug, PartialEq)]
pub struct Application {
    /// The file's name.
    pub file: String,
    /// Its version.
    pub version: String,
    /// Its bytes.
    pub bytes: Rc<[u8]>,
}

/// What an installation does to the flash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// What is erased and written: addresses and bytes.
    pub ranges: Vec<(u32, u32)>,
    /// An application is among it.
    pub has_application: bool,
}

/// What the flash holds where it is about to be changed.
#[derive(Clone, Debug, PartialEq)]
pub enum Held {
    /// This way does not read.
    Unread,
    /// Nothing.
    Blank,
    /// This, which can be saved as a file.
    Parts(Rc<[Part]>),
}

impl Held {
    /// What was read.
    pub fn of(parts: Vec<Part>) -> Self {
        let mut bytes = parts.iter().flat_map(|part| &part.bytes);
        match bytes.all(|byte| *byte == 0xFF) {
            true => Held::Blank,
            false => Held::Parts(parts.into()),
        }
    }
}

/// What there is to decide before the flash is changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// What is there.
    pub held: Held,
    /// The file that it is in.
    pub saved: Option<SavedFile>,
    /// The person does not need it.
    pub discard: bool,
}

impl Check {
    /// Nothing was decided yet.
    pub fn new(held: Held) -> Self {
        Check {
            held,
            saved: None,
            discard: false,
        }
    }

    /// Whether the flash may be changed: what it holds is safe, or not wanted.
    pub fn is_decided(&self) -> bool {
        self.held == Held::Blank || self.saved.is_some() || self.discard
    }
}

/// The installation.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Run {
    /// None.
    #[default]
    None,
    /// The companion is made, of what the person chose.
    Making,
    /// The loader is looked for and opened.
    Opening,
    /// What the flash holds is read: bytes, and of how many.
    Reading(Option<(u32, u32)>),
    /// The person decides.
    Check(Check),
    /// The flash is changed.
    Changing {
        /// What is done.
        doing: &'static str,
        /// Bytes, and of how many.
        progress: Option<(u32, u32)>,
        /// Cancelling was asked for.
        cancelling: bool,
    },
    /// The file goes onto the drive.
    Writing,
    /// It is over.
    Done(Done),
}

/// How it is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// All of it was read back, and the chip starts it.
    ReadBack,
    /// The loader has checked all of it, and starts it.
    Checked,
    /// The drive has taken the file.
    Drive,
    /// The person copies this file onto the drive.
    ByHand(String),
}
