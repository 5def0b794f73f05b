//! What the view and the worker say to each other: plain data, no browser types.
//!
//! The worker owns every port and every session. The view owns nothing but what it shows. Both are the same WASM
//! module, so the two ends of a message always agree on its shape.

use serde::{Deserialize, Serialize};

mod update;
pub use update::{Note, Outcome, Phase, Plan, Progress, Sends, Way};

/// A board as the worker numbers them: one per session, never used twice while the page is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BoardId(pub u32);

/// From the view to the worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// A file was chosen: say what it is.
    Examine {
        /// The file's name, for people only.
        name: String,
        /// The whole file.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// Forget the image.
    Forget,
    /// The keys that the person trusts, all of them, each time that they change.
    Trust {
        /// Public keys with the names given to them.
        keys: Vec<NamedKey>,
        /// Take MCUboot's published development keys too.
        development: bool,
    },
    /// Look at the ports that this page may use; `asked` when a person pressed the button for it.
    Ports {
        /// A person waits for the result: say so if nothing is there.
        asked: bool,
    },
    /// Send whole images even where a patch would do, or no longer.
    Whole(bool),
    /// Forget the image with this hash that was kept; all of them without one.
    Drop(Option<String>),
    /// Plug in a simulated board.
    Simulate(Bench),
    /// Bring the board to the image.
    Update(BoardId),
    /// Stop at the next point where stopping is safe.
    Cancel(BoardId),
    /// Ask the board again who it is.
    Refresh(BoardId),
    /// Let the board's port go.
    Release(BoardId),
    /// Restart a simulated board with its button held, so that it stays in its bootloader.
    Button(BoardId),
}

/// How a simulated board is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bench {
    /// What the board is called.
    pub name: String,
    /// What the simulated application does after it was swapped in.
    pub behaviour: Behaviour,
    /// The public keys (PEM) that the board trusts.
    pub keys: Vec<String>,
    /// The image that it runs when it is plugged in; empty: none, it waits in its bootloader.
    #[serde(with = "serde_bytes")]
    pub installed: Vec<u8>,
}

/// What a simulated application does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Behaviour {
    /// Starts, passes its self-test, confirms.
    #[default]
    Works,
    /// Runs, but never confirms.
    NeverConfirms,
    /// Resets soon after start.
    Crashes,
    /// Stops answering; the watchdog resets it.
    Hangs,
    /// Runs and confirms without ever showing a port.
    NoPort,
    /// The board's battery is too low for an update.
    LowBattery,
    /// The stored image is damaged when the board starts, and a golden one takes its place.
    Damaged,
}

impl Behaviour {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 7] = [
        Self::Works,
        Self::NeverConfirms,
        Self::Crashes,
        Self::Hangs,
        Self::NoPort,
        Self::LowBattery,
        Self::Damaged,
    ];
}

/// A public key and the name that the person gave it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedKey {
    /// As the person named it.
    pub name: String,
    /// The public key as PEM text.
    pub pem: String,
}

/// From the worker to the view.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Notice {
    /// The worker runs and takes commands.
    Ready,
    /// The image is this, or no image at all.
    Image(Result<ImageCard, Problem>),
    /// The images that this browser keeps, the latest last.
    Kept(Vec<KeptImage>),
    /// Each trusted key with its hash, in the order given; the ones that are no keys say why.
    Keys(Vec<Result<KeyCard, Problem>>),
    /// No board, but something to say about ports.
    Ports(Option<Problem>),
    /// A port was taken; the board is being asked who it is.
    Appeared {
        /// The new board.
        board: BoardId,
        /// By which way it is reached.
        via: Via,
    },
    /// What the board said about itself.
    Board(BoardId, Box<BoardCard>),
    /// What pressing the button would do to this board with this image; none without an image.
    Plan(BoardId, Option<Plan>),
    /// The port went away or came back.
    Cable(BoardId, Cable),
    /// An update moved on.
    Progress(BoardId, Progress),
    /// An update ended.
    Outcome(BoardId, Outcome),
    /// A board's port was let go of.
    Gone(BoardId),
    /// Something for the log.
    Log(Option<BoardId>, String),
}

/// By which way a board is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Via {
    /// Web Serial; USB vendor and product id where the port has them.
    Serial(Option<(u16, u16)>),
    /// Simulated in the page.
    Simulated,
}

/// The state of the way to a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cable {
    /// It answers.
    Connected,
    /// The page itself waits for it: it restarts.
    Restarting,
    /// Unplugged: the page goes on by itself when it is back.
    Lost,
}

/// A thing that went wrong, ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The error's name in the code: stable, for logs and tests.
    pub name: String,
    /// What happened.
    pub what: String,
    /// The next step to take.
    pub next: String,
    /// The board is as it was before.
    pub unharmed: bool,
}

/// A key as shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyCard {
    /// Its name, if a person gave one.
    pub name: Option<String>,
    /// SHA-256 of its SubjectPublicKeyInfo, hexadecimal: imgtool's key hash.
    pub hash: String,
    /// "ECDSA P-256" or "Ed25519".
    pub algorithm: String,
    /// MCUboot publishes the private half of this key.
    pub development: bool,
}

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageCard {
    /// The file's name.
    pub file: String,
    /// Version as `1.2.3` or `1.2.3+4`.
    pub version: String,
    /// Size of the file in bytes.
    pub size: u32,
    /// SHA-256 of the image, hexadecimal: what the board calls its hash.
    pub hash: String,
    /// For which boards it is.
    pub target: Target,
    /// Security counter, where the image has one.
    pub counter: Option<u32>,
    /// Who signed it, and what that is worth.
    pub verdict: Verdict,
}

/// For which boards an image is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// It names its vendor, its class of boards, or both (UUIDs).
    Named {
        /// Vendor id.
        vendor: Option<String>,
        /// Class id.
        class: Option<String>,
    },
    /// It names none: the address at which it starts must lie in the board's primary slot.
    Address(u32),
}

/// Who signed an image, and what that is worth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// The signature is by this key, which is trusted.
    Signed {
        /// The key.
        key: KeyCard,
        /// The connected board trusts it too; none without a board that says so.
        board: Option<bool>,
    },
    /// Signed, and there is no key yet to check that with: the key hash that the image names.
    Stranger {
        /// Key hash, hexadecimal.
        hash: Option<String>,
    },
    /// It must not be installed.
    Refused(Problem),
}

/// What a board is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoardCard {
    /// The board's name; empty when it doesn't say.
    pub name: String,
    /// Its serial number; empty when it doesn't say.
    pub serial: String,
    /// Who answers.
    pub role: Role,
    /// Version of the companion bootloader, if it says so.
    pub companion: Option<String>,
    /// The version that runs, if one does.
    pub running: Option<String>,
    /// Why it waits in the bootloader, or what it last went through, as a sentence.
    pub remark: Option<String>,
    /// Its slots, primary first.
    pub slots: Vec<SlotCard>,
    /// The keys that it trusts.
    pub keys: Vec<KeyCard>,
    /// Security counter: older images are refused.
    pub counter: Option<u32>,
    /// Largest frame in bytes and how many it holds at once.
    pub link: Option<(u32, u32)>,
    /// Version of the image that it falls back to when nothing else can run.
    pub golden: Option<String>,
    /// Its supply, and whether that is too low for an update.
    pub supply: Option<(String, bool)>,
    /// Its last updates, newest first.
    pub history: Vec<PastUpdate>,
}

/// An update that the board remembers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastUpdate {
    /// From what to what.
    pub versions: String,
    /// What came of it, as a sentence.
    pub what: String,
    /// At which start of the board.
    pub start: u16,
    /// How it ended.
    pub ending: Ending,
}

/// How an update ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// It has not: the image is on trial.
    Open,
    /// Confirmed.
    Good,
    /// Taken back, or never started.
    Back,
    /// The golden image took its place.
    Golden,
}

/// Who answers at the other end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// The bootloader.
    Bootloader,
    /// An application.
    Application,
    /// A board without Bootlace's group: it doesn't say.
    #[default]
    Unknown,
}

/// A slot of a board.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotCard {
    /// 0 primary, 1 secondary.
    pub slot: u8,
    /// Size in bytes, if known.
    pub size: Option<u32>,
    /// What it holds.
    pub holds: Option<HeldImage>,
}

/// An image in a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldImage {
    /// Its version.
    pub version: String,
    /// Its hash, hexadecimal.
    pub hash: String,
    /// How it stands.
    pub standing: Standing,
}

/// How an image stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// It runs and is confirmed.
    Confirmed,
    /// It runs on trial: it goes unless it is confirmed.
    OnTrial,
    /// It is swapped in at the next restart.
    Pending,
    /// It lies there.
    Stored,
}

/// An image that was seen before, kept by this browser: what patches are made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptImage {
    /// Its hash, hexadecimal.
    pub hash: String,
    /// Bytes.
    pub size: u32,
    /// Its version.
    pub version: String,
    /// The file's name.
    pub file: String,
}
