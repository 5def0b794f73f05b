//! What can go wrong, by name. The sentences for people are the front ends'.

use alloc::string::String;
use core::time::Duration;

use bootlace_image::{FormatError, KeyError, Refusal, Unstartable, Version};
use bootlace_smp::bootlace::BootState;
use bootlace_smp::{ErrorCode, bootlace, img};

use crate::Phase;
use crate::file_kind::FileKind;
use crate::text::clean;

/// Something went wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Failure {
    /// What.
    pub error: Error,
    /// Where.
    pub phase: Phase,
    /// The board is as it was: nothing was marked, restarted or written over. Otherwise what it runs, or will run after
    /// its next restart, is not known.
    pub unharmed: bool,
}

/// What went wrong. Each carries what was missing or wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Error {
    /// The file is not a whole, well-formed image.
    Image(FormatError),
    /// The file is another thing than an image.
    WrongFile(FileKind),
    /// The file was given as a key, and is another thing.
    NoKeyFile(FileKind),
    /// The file was given as a patch, and is another thing.
    NoPatchFile(FileKind),
    /// A key that can't be used.
    Key(KeyError),
    /// No Cortex-M can start the image.
    Unstartable(Unstartable),
    /// The image is well-formed, and must not be trusted or can't be run.
    Refused(Refusal),
    /// No key is trusted: none was given, and the board names none.
    NoKeys,
    /// Signed by a key that was trusted here, but the board does not trust it.
    UntrustedByBoard {
        /// SHA-256 of the signer's key.
        key_hash: [u8; 32],
    },
    /// For boards of another vendor, or of none that the image names.
    WrongVendor {
        /// What the image says.
        image: Option<[u8; 16]>,
        /// What the board says.
        board: [u8; 16],
    },
    /// For another class of boards, or for none that the image names.
    WrongClass {
        /// What the image says.
        image: Option<[u8; 16]>,
        /// What the board says.
        board: [u8; 16],
    },
    /// It names no class, and starts outside the board's primary slot.
    WrongAddress {
        /// Where it starts.
        start: u32,
        /// The slot's first address.
        slot: u32,
        /// The slot's size in bytes.
        size: u32,
    },
    /// Larger than the board's slot takes.
    TooLarge {
        /// Bytes of the image.
        size: u32,
        /// Bytes of the largest image.
        max: u32,
    },
    /// It needs another image, which the board does not have, or not as new.
    NeedsImage {
        /// The number of the image that is needed.
        image: u8,
        /// The lowest version of it that will do.
        version: Version,
        /// The version that is there.
        found: Option<Version>,
    },
    /// Older than the board allows.
    TooOld {
        /// The image's security counter; 0 if it has none.
        image: u32,
        /// The board's.
        board: u32,
    },
    /// Not newer than what runs, and only newer ones were asked for.
    NotNewer,
    /// Older than what runs, and the board takes no older ones.
    NoDowngrade,
    /// Another image is on trial: it has to be confirmed or taken back first.
    OtherOnTrial,
    /// The board has no image group: it can't be updated this way.
    NoImageGroup,

    /// No board is known yet, or its port is gone.
    NoBoard,
    /// Something else is under way.
    Busy,
    /// Nobody answers on this port.
    Silent,
    /// Somebody talks on this port, but it is not SMP: another device, another speed, or a program that only prints.
    Garbage {
        /// Bytes that arrived.
        bytes: u32,
    },
    /// The port repeats what is sent: a loop, a terminal, or a modem.
    Echo,
    /// An answer that can't be understood.
    BadAnswer {
        /// To what.
        asked: Asked,
    },
    /// The board stopped answering.
    WentSilent {
        /// To what.
        asked: Asked,
    },
    /// The board refused, and said why.
    BoardRefused {
        /// What.
        asked: Asked,
        /// Why.
        code: Code,
        /// In its own words, for a log.
        reason: Option<String>,
    },
    /// The upload makes no headway: the board takes pieces and asks for them again.
    Stuck {
        /// The offset that it asks for.
        offset: u32,
    },
    /// What the board stored is not what was sent.
    Mismatch,
    /// The board said that the image is marked, but does not list it as pending.
    NotPending,
    /// The board was told to restart three times, and did not.
    DidNotRestart,
    /// The board was updated and restarted, and nothing that it says tells whether it runs the new image.
    OutcomeUnknown,
    /// The board's bootloader updates in a way that this version does not know.
    UnsupportedExchange {
        /// MCUboot's number of that way.
        mode: i32,
    },
    /// The new image is in place and confirmed, but the board stays in its bootloader: nothing says that it runs.
    StaysInBootloader,
    /// The board did not come back, or does not answer since.
    DidNotReturn {
        /// How long it was waited for.
        waited: Duration,
    },
    /// The new image runs, but was not confirmed in time: the board goes back at its next restart.
    NotConfirmed,
    /// The board is in its bootloader and starts nothing.
    NothingBoots {
        /// Why, as the board says.
        state: BootState,
    },
    /// The port is gone.
    PortLost,
}

/// What the board was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Asked {
    /// To describe itself.
    Describe,
    /// What is in its slots.
    State,
    /// Its buffers.
    Params,
    /// The sizes of its slots.
    SlotInfo,
    /// To take a piece of an image.
    Upload,
    /// To take a piece of a patch.
    Patch,
    /// To mark an image for test.
    Test,
    /// Its last updates.
    Journal,
    /// To confirm the running image.
    Confirm,
    /// To erase a slot.
    Erase,
    /// To restart.
    Reset,
}

/// Why a board refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Code {
    /// A generic code.
    Generic(ErrorCode),
    /// A code of the image group.
    Image(img::ErrorCode),
    /// A code of Bootlace's group.
    Bootlace(bootlace::ErrorCode),
    /// Any other.
    Other {
        /// The group whose code it is; `None` for a generic one.
        group: Option<u16>,
        /// The code.
        rc: u16,
    },
}

impl Error {
    /// The board refused, and said why.
    pub(crate) fn refused(asked: Asked, failure: &bootlace_smp::Failure<'_>) -> Error {
        Error::BoardRefused {
            asked,
            code: Code::of(failure),
            reason: failure.reason.map(clean),
        }
    }
}

impl Code {
    /// Of a refused confirmation: only the application's own self-test confirms it.
    pub(crate) fn leaves_it_to_the_application(self) -> bool {
        matches!(
            self,
            Code::Image(img::ErrorCode::ConfirmationDenied) | Code::Generic(ErrorCode::AccessDenied)
        )
    }

    pub(crate) fn of(failure: &bootlace_smp::Failure<'_>) -> Code {
        let other = Code::Other {
            group: failure.group,
            rc: failure.rc,
        };
        match failure.group {
            None => failure.code().map_or(other, Code::Generic),
            Some(img::GROUP) => img::ErrorCode::from_rc(failure.rc).map_or(other, Code::Image),
            Some(bootlace::GROUP) => bootlace::ErrorCode::from_rc(failure.rc).map_or(other, Code::Bootlace),
            Some(_) => other,
        }
    }
}

impl From<FormatError> for Error {
    fn from(error: FormatError) -> Self {
        Error::Image(error)
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Error::Refused(refusal)
    }
}

impl From<bootlace_image::Error<bootlace_image::OutOfRange>> for Error {
    fn from(error: bootlace_image::Error<bootlace_image::OutOfRange>) -> Self {
        match error {
            // The reader stays inside what it measured: a read past the end is a file that ends early.
            bootlace_image::Error::Source(_) => Error::Image(FormatError::Truncated {
                needed: 0,
                available: 0,
            }),
            bootlace_image::Error::Format(error) => Error::Image(error),
            bootlace_image::Error::Refused(refusal) => Error::Refused(refusal),
        }
    }
}
