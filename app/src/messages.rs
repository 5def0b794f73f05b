//! What the view and the worker say to each other: plain data, no browser types. Facts are the engine's own types; the
//! view makes words of them.
//!
//! The worker owns every port and every session. The view owns nothing but what it shows. Both are the same WASM
//! module, so the two ends of a message always agree on its shape.

use bootlace_engine::{BoardInfo, Error};
use bootlace_image::{PublicKey, Unstartable, Version};
use serde::{Deserialize, Serialize};

pub use bootlace_engine::words::page::{
    Behaviour, Ending, LogFact, Offer, PageError, PatchFate, Problem, Running, Sends, Step, Via,
};

/// A board as the worker numbers them: one per session, never used twice while the page is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BoardId(pub u32);

/// A choice of a file as the view numbers them: what is said of an earlier one is out of date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChoiceId(pub u32);

/// From the view to the worker. The bytes of a file are handed over beside the command, without a copy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// A file was chosen, handed over with this: say what it is.
    Examine {
        /// Which choice.
        choice: ChoiceId,
        /// The file's name, for people only.
        name: String,
    },
    /// No file is chosen any more.
    PutAway,
    /// Whom the person trusts, each time that it changes.
    Trust(Trust),
    /// Look at the ports that this page may use; `asked` when a person pressed the button for it.
    Ports {
        /// A person waits for the result: say so if nothing is there.
        asked: bool,
    },
    /// Open no serial port from now on, or again: a loader that hears anything else first may never hear what it should.
    LeaveSerial(bool),
    /// Send whole images even where a patch would do, or no longer.
    Whole(bool),
    /// Delete the saved image with this hash; all of them without one.
    DeleteSaved(Option<Vec<u8>>),
    /// Plug in a simulated board. The image that it runs is handed over with this; without one it runs none.
    Simulate(Simulation),
    /// Bring the board to the image.
    Update(BoardId),
    /// Cancel that at the next point where it is safe.
    Cancel(BoardId),
    /// Ask the board again who it is.
    Refresh(BoardId),
    /// Let the board's port go, whatever is under way.
    Release(BoardId),
    /// Restart a simulated board with its button held, so that it stays in its bootloader.
    Button(BoardId),
}

/// Whom the person trusts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Trust {
    /// Keys that the person added. Where there are any, nothing else counts.
    pub keys: Vec<PublicKey>,
    /// Development keys, whose private halves are published, are taken too.
    pub development: bool,
}

/// How a simulated board is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Simulation {
    /// What the board is called.
    pub name: String,
    /// What happens to it.
    pub behaviour: Behaviour,
    /// The public keys that the board trusts.
    pub keys: Vec<PublicKey>,
}

/// From the worker to the view.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Notice {
    /// The worker runs and takes commands.
    Ready,
    /// The chosen file is this, or no image at all.
    Examined(ChoiceId, Result<Box<ImageInfo>, Error>),
    /// The images that this browser keeps, the latest last.
    Kept(Vec<KeptImage>),
    /// Something to say about ports that belongs to no board, or no longer anything.
    Ports(Option<Problem>),
    /// A port was taken; the board is being asked who it is.
    Appeared {
        /// The new board.
        board: BoardId,
        /// By which way it is reached.
        via: Via,
    },
    /// What the board said about itself.
    Board(BoardId, Box<BoardInfo>),
    /// What pressing the button would do to this board with this image; none without an image.
    Offer(BoardId, Option<Box<Offer>>),
    /// The port went away or came back.
    Cable(BoardId, Cable),
    /// An update moved on.
    Running(BoardId, Box<Running>),
    /// An update ended.
    Ended(BoardId, Box<Ending>),
    /// A board's port was let go of.
    Gone(BoardId),
    /// Something for the log.
    Log(LogFact),
}

/// The state of the way to a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cable {
    /// The board answers.
    Connected,
    /// The board restarts: the page itself waits for it.
    Restarting,
    /// Unplugged: the page continues by itself when the board is back.
    Lost,
}

/// What a file is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageInfo {
    /// The file's name.
    pub file: String,
    /// Its version.
    pub version: Version,
    /// Bytes of the file.
    pub size: u32,
    /// The digest that the image carries, where it is the right one: what the board calls its hash.
    pub hash: Option<Vec<u8>>,
    /// Vendor UUID, where the image names one.
    pub vid: Option<[u8; 16]>,
    /// Class UUID, where the image names one.
    pub cid: Option<[u8; 16]>,
    /// The address at which it starts.
    pub start: Option<u32>,
    /// Security counter, where the image has one.
    pub counter: Option<u32>,
    /// Who signed it, and what that is worth.
    pub verdict: Verdict,
    /// Why no Cortex-M can start it: known before any board is. `None` where the image is refused.
    pub warning: Option<Unstartable>,
}

/// Who signed an image, and what that is worth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Verdict {
    /// The signature is good, and by a key that the person added.
    Trusted(PublicKey),
    /// The person has added no keys; the signature is good by a key that a connected board names.
    NamedByBoard(PublicKey),
    /// Signed by a key that is not here: the key's hash, where the image says so.
    Unchecked {
        /// SHA-256 of the signer's key.
        key_hash: Option<[u8; 32]>,
    },
    /// The image must not be installed.
    Refused(Error),
}

impl Verdict {
    /// SHA-256 of the signer's key, as far as it is known.
    pub fn signer(&self) -> Option<[u8; 32]> {
        match self {
            Verdict::Trusted(key) | Verdict::NamedByBoard(key) => Some(key.hash()),
            Verdict::Unchecked { key_hash } => *key_hash,
            Verdict::Refused(_) => None,
        }
    }
}

/// An image that was seen before, kept by this browser: what patches are made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptImage {
    /// Its hash.
    pub hash: Vec<u8>,
    /// Bytes.
    pub size: u32,
    /// Its version.
    pub version: String,
    /// The file's name.
    pub file: String,
}
