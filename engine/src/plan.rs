//! What an update will do, found out before anything is sent.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use bootlace_image::{Policy, PublicKey, Requirements, Unstartable, Version};
use bootlace_smp::bootlace::{BootState, Features};
use bootlace_smp::frame::Framing;

use crate::{BoardInfo, CheckedImage, Error, Exchange, NoPatch, SlotImage};

/// What to do with a board.
#[derive(Clone, Debug, PartialEq)]
pub enum Job {
    /// Bring it to this image.
    Update {
        /// The image, shared by all boards that it is sent to.
        image: Arc<CheckedImage>,
        /// A patch that makes this very file from the image that the board runs, to be sent in its place. Where the
        /// board does not take it the image is sent, and [`Event::WholeInstead`](crate::Event::WholeInstead) says why.
        patch: Option<Arc<[u8]>>,
        /// How.
        options: Options,
    },
    /// A single command.
    Command(crate::Command),
}

/// How to update.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Keys that are trusted here. Empty: the board's own.
    pub keys: Vec<PublicKey>,
    /// Take images signed with development keys, whose private halves are published.
    pub allow_development_keys: bool,
    /// Who confirms the new image.
    pub confirm: Confirm,
    /// Refuse an image that is not newer than what runs.
    pub only_newer: bool,
    /// Framing of the upload; `None`: COBS where the board takes it, console otherwise.
    pub framing: Option<Framing>,
    /// When the board is restarted after the image is marked.
    pub restart: Restart,
    /// How long an image may be on trial, where the board names no deadline of its own.
    pub trial: Duration,
    /// How long to wait for a board that is unplugged or does not come back, before it is given up.
    pub absence: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            keys: Vec::new(),
            allow_development_keys: false,
            confirm: Confirm::ByApplication,
            only_newer: false,
            framing: None,
            restart: Restart::AtOnce,
            trial: Duration::from_secs(300),
            absence: Duration::from_secs(600),
        }
    }
}

/// Who confirms an image on trial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Confirm {
    /// The application itself, once it knows that it is well.
    #[default]
    ByApplication,
    /// The updater, as soon as the application answers: for applications that don't.
    ByUpdater,
}

/// When a board is restarted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Restart {
    /// As soon as the image is marked.
    #[default]
    AtOnce,
    /// When [`Session::allow_restart`](crate::Session::allow_restart) says so: see [`Turns`](crate::Turns).
    WhenAllowed,
}

/// What an update will do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Plan {
    /// In which direction it goes.
    pub way: Way,
    /// Which steps are left to do.
    pub route: Route,
    /// The version that runs, as the board spells it.
    pub from: Option<String>,
    /// The version of the image.
    pub to: Version,
    /// The image's hash, as SMP calls it: the digest in its TLV.
    pub hash: Vec<u8>,
    /// Bytes that go over the line, as far as the board does not have them yet.
    pub size: u32,
    /// SHA-256 of the signer's key.
    pub key_hash: [u8; 32],
    /// How the image takes the place of what runs; only with [`Exchange::Swap`] there is a way back.
    pub exchange: Exchange,
    /// SHA-256 of what goes over the line: names the upload.
    pub(crate) sha: [u8; 32],
}

/// In which direction an update goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Way {
    /// The board has nothing to run.
    Install,
    /// To a newer version.
    Update,
    /// To an older one.
    Downgrade,
    /// The same version, other contents; or the board's version can't be read.
    Replace,
    /// The very same image.
    Same,
}

/// Which steps of an update are left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Route {
    /// Upload, test, watch.
    Upload,
    /// The image lies in the secondary slot: test, watch.
    Test,
    /// It is marked already: restart, watch.
    Restart,
    /// It runs on trial already: watch.
    Watch,
    /// It runs, confirmed: nothing.
    Nothing,
}

impl Plan {
    /// Checks an image against keys and board.
    ///
    /// # Errors
    /// The first reason that speaks against the update.
    pub fn new(checked: &CheckedImage, options: &Options, board: &BoardInfo) -> Result<Plan, Error> {
        let image = checked.image();
        let policy = Policy {
            allow_development_keys: options.allow_development_keys,
        };
        let keys = if options.keys.is_empty() {
            &board.keys
        } else {
            &options.keys
        };
        if keys.is_empty() {
            return Err(Error::NoKeys);
        }
        let verified = checked.verify(keys, &policy)?;
        let trusts_none = board.keys.is_empty() && board.state == Some(BootState::NoKey);
        let trusts_others =
            !board.keys.is_empty() && !board.keys.iter().any(|key| key.hash() == verified.key_hash);
        if trusts_none || trusts_others {
            return Err(Error::UntrustedByBoard {
                key_hash: verified.key_hash,
            });
        }
        check_fit(checked, board)?;
        check_dependencies(checked, board)?;

        let size = image.total_len();
        let counters = (image.security_counter().unwrap_or(0), board.counter.unwrap_or(0));
        if counters.0 < counters.1 {
            return Err(Error::TooOld {
                image: counters.0,
                board: counters.1,
            });
        }

        let hash = verified.digest.as_bytes().to_vec();
        let to = image.header().version;
        let (way, route) = way(board, &hash, to);
        if !board.has_image_group {
            return Err(Error::NoImageGroup);
        }
        let exchange = board.exchange();
        if let Exchange::Unsupported(mode) = exchange {
            return Err(Error::UnsupportedExchange { mode });
        }
        if way == Way::Downgrade && board.features.has(Features::NO_DOWNGRADE) {
            return Err(Error::NoDowngrade);
        }
        if options.only_newer && !matches!(way, Way::Install | Way::Update | Way::Same) {
            return Err(Error::NotNewer);
        }
        if other_on_trial(board, &hash, route) {
            return Err(Error::OtherOnTrial);
        }
        Ok(Plan {
            way,
            route,
            from: board.running().map(|running| running.version.clone()),
            to,
            hash,
            size,
            key_hash: verified.key_hash,
            exchange,
            sha: checked.sha(),
        })
    }
}

/// Whether the image fits, as far as the board says what it asks for.
fn check_fit(checked: &CheckedImage, board: &BoardInfo) -> Result<(), Error> {
    let requirements = Requirements {
        vendor: board.vid,
        class: board.cid,
        slot: board.primary().and_then(|slot| Some((slot.addr?, slot.size))),
        max_size: board.max_image(),
        counter: false,
    };
    match checked.fits(&requirements) {
        // Boards with the companion are Cortex-M. What starts others, a RISC-V for one, is not known here; but nothing
        // starts what is empty.
        Err(Error::Unstartable(reason))
            if !board.is_bootlace() && !matches!(reason, Unstartable::Empty { .. }) =>
        {
            Ok(())
        }
        verdict => verdict,
    }
}

/// Whether the board has the images that this one needs. MCUboot asks the same before it swaps; a board that runs the
/// companion has one image, and does not ask.
fn check_dependencies(checked: &CheckedImage, board: &BoardInfo) -> Result<(), Error> {
    for needed in checked.dependencies() {
        let (image, version) = (needed.image, needed.version);
        let listed = board
            .images
            .iter()
            .find(|listed| listed.image == u32::from(image) && listed.active);
        let found = match image {
            // It is the image itself that takes this number.
            0 => Some(checked.version()),
            _ => listed.and_then(|listed| Version::parse(&listed.version)),
        };
        // A list may leave out what it was not asked for: only the companion certainly has no other image.
        let missing = match found {
            Some(found) => found < version,
            None => board.is_bootlace(),
        };
        if missing {
            return Err(Error::NeedsImage {
                image,
                version,
                found,
            });
        }
    }
    Ok(())
}

/// Whether the board runs an image on trial that is not this one, and nothing can be done before that is decided.
fn other_on_trial(board: &BoardInfo, hash: &[u8], route: Route) -> bool {
    let Some(running) = board.running() else {
        return false;
    };
    let on_trial = match board.is_bootlace() {
        true => board.trial.is_some(),
        // Zephyr names the image that it would take back as the confirmed one, and refuses to write over it. Where that is
        // the image that is wanted, a restart brings it.
        false => {
            let would_take_back = board.other().is_some_and(|other| other.confirmed);
            running.has_flags() && would_take_back && route == Route::Upload
        }
    };
    on_trial && !running.confirmed && running.is_of_hash(hash) == Some(false)
}

fn way(board: &BoardInfo, hash: &[u8], to: Version) -> (Way, Route) {
    let Some(running) = board.running() else {
        return (Way::Install, waiting(board, hash));
    };
    if running.is_of_hash(hash) == Some(true) {
        let in_bootloader = board.is_in_bootloader();
        let route = match running.confirmed {
            // It lies there, but does not start: a damaged image is mended by sending it again.
            _ if board.starts_nothing().is_some() => waiting(board, hash),
            // The bootloader was asked to stay: "done" is only said of what runs.
            true if in_bootloader => Route::Restart,
            true => Route::Nothing,
            // It lies there. Whether it is confirmed, or runs at all, the board does not say.
            false if !running.has_flags() || board.recovery => Route::Restart,
            false => Route::Watch,
        };
        return (Way::Same, route);
    }
    let way = match Version::parse(&running.version).map(|from| to.cmp(&from)) {
        Some(core::cmp::Ordering::Greater) => Way::Update,
        Some(core::cmp::Ordering::Less) => Way::Downgrade,
        _ => Way::Replace,
    };
    (way, waiting(board, hash))
}

/// How much of the way an image that lies in the secondary slot has behind it.
fn waiting(board: &BoardInfo, hash: &[u8]) -> Route {
    match board.other() {
        // Recovery that writes to the primary slot marks nothing.
        _ if board.exchange() == Exchange::InPlace => Route::Upload,
        Some(other) if other.is_of_hash(hash) == Some(true) && other.pending => Route::Restart,
        Some(other) if other.is_of_hash(hash) == Some(true) => Route::Test,
        _ => Route::Upload,
    }
}

/// The image that a patch has to start from, so that the board can make `plan`'s image of it.
///
/// # Errors
/// Why no patch is of use, whatever files are at hand.
pub fn wanted_base<'a>(board: &'a BoardInfo, plan: &Plan) -> Result<&'a SlotImage, NoPatch> {
    if plan.route != Route::Upload {
        return Err(NoPatch::NothingToSend);
    }
    if !board.takes_patches() {
        return Err(NoPatch::NotSupported);
    }
    // What can't be started may be damaged: the board proves its base before it takes a patch.
    let running = board.running().filter(|running| !running.hash.is_empty());
    running.ok_or(NoPatch::NothingRuns)
}

/// Whether a patch of `patch` bytes is worth sending in place of `image` bytes.
///
/// # Errors
/// [`NoPatch::NotSmaller`].
pub fn worth_sending(patch: usize, image: u32) -> Result<(), NoPatch> {
    match u32::try_from(patch) {
        Ok(patch) if patch < image => Ok(()),
        _ => Err(NoPatch::NotSmaller),
    }
}
