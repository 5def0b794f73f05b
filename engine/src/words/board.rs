//! What goes wrong with boards and ports.

use alloc::format;
use alloc::string::{String, ToString};

use bootlace_smp::{ErrorCode, bootlace, img};

use super::{Sentence, bytes, short, state, time, uuid};
use crate::{Asked, BootState, Code, Error};

const REPLUG: &str = "Check the cable, plug the board in again and start the update again: what the board holds already \
                      is not sent twice.";

/// Errors about a board. Those about an image go elsewhere.
pub(super) fn error(error: &Error) -> Sentence {
    let (name, what, next): (_, String, _) = match error {
        Error::NoKeys => (
            "NoKeys",
            "No key is trusted: none was given, and the board names none.".into(),
            "Give the public key of whoever signs your firmware.",
        ),
        Error::UntrustedByBoard { key_hash } => (
            "UntrustedByBoard",
            format!("The board does not trust the key that signed this image ({}).", short(key_hash)),
            "Use an image that was signed with the board's key, or the board that this image was made for.",
        ),
        Error::WrongVendor { image, board } => (
            "WrongVendor",
            match image {
                Some(image) => format!("The image is for boards of vendor {}; this one is of {}.", uuid(image), uuid(board)),
                None => format!("The image names no vendor, and this board takes only those of {}.", uuid(board)),
            },
            "Choose the image for this board: imgtool names the vendor with “--vid”.",
        ),
        Error::WrongClass { image, board } => (
            "WrongClass",
            match image {
                Some(image) => format!("The image is for boards of class {}; this one is of {}.", uuid(image), uuid(board)),
                None => format!("The image names no class of boards, and this board takes only those of {}.", uuid(board)),
            },
            "Choose the image for this board: imgtool names the class with “--cid”.",
        ),
        Error::WrongAddress { start, slot, size } => (
            "WrongAddress",
            format!(
                "The image starts at {start:#010x}, but this board runs images from {slot:#010x} to {:#010x}: it was \
                 built for another board.",
                slot.saturating_add(*size)
            ),
            "Choose the image for this board, or link the firmware for the board's slot.",
        ),
        Error::TooLarge { size, max } => (
            "TooLarge",
            format!("Too large: {}; the board has room for {}.", bytes(*size), bytes(*max)),
            "Ask your firmware supplier for the file for this board.",
        ),
        Error::NeedsImage {
            image,
            version,
            found,
        } => (
            "NeedsImage",
            match found {
                Some(found) => format!("The image needs version {version} of image {image} or newer, and there is {found}."),
                None => format!("The image needs version {version} of image {image} or newer, which this board does not have."),
            },
            "Ask your firmware supplier for the files of this board, and install the needed one first.",
        ),
        Error::TooOld { image, board } => (
            "TooOld",
            format!("The image is older than the board allows: its security counter is {image}, the board's {board}."),
            "Choose a newer image. Going back below the counter is refused on purpose.",
        ),
        Error::NotNewer => (
            "NotNewer",
            "The image is not newer than what the board runs.".into(),
            "Choose a newer image, or allow older ones.",
        ),
        Error::NoDowngrade => (
            "NoDowngrade",
            "The image is older than what the board runs, and this board takes no older ones.".into(),
            "Choose a newer image. The maker of the board decided so.",
        ),
        Error::OtherOnTrial => (
            "OtherOnTrial",
            "The board runs another image on trial.".into(),
            "Confirm that image, or restart the board to take it back; then start the update again.",
        ),
        Error::NoImageGroup => (
            "NoImageGroup",
            "The board answers, but can't take images: it has no image management.".into(),
            "Restart it into its bootloader, or build its application with image management.",
        ),
        Error::NoBoard => {
            ("NoBoard", "No board is connected.".into(), "Plug the board in, and start the update again.")
        }
        Error::Busy => ("Busy", "Something else is under way with this board.".into(), "Wait until it has ended."),
        Error::Silent => (
            "Silent",
            "Nothing answers on this port.".into(),
            "Check that this is the board's port, that the board has power and that no other program (a serial monitor) \
             reads the port too. An application without SMP does not answer: restart the board into its bootloader.",
        ),
        Error::Garbage { bytes: count } => (
            "Garbage",
            format!("Something talks on this port ({count} bytes so far), but it is no board that can be updated."),
            "Check that this is the board's port, that the speed is right and that no other program reads the port too.",
        ),
        Error::Echo => (
            "Echo",
            "This port repeats what is sent to it: it is a terminal, a modem or a loop.".into(),
            "Choose the board's port.",
        ),
        Error::BadAnswer { asked: it } => (
            "BadAnswer",
            format!("The board gave an answer that makes no sense when it was asked {}.", asked(*it)),
            "Try again. If it stays like this, update the bootloader or these tools: their versions may not match.",
        ),
        Error::WentSilent { asked: it } => (
            "WentSilent",
            format!("The board stopped answering; it was asked {}.", asked(*it)),
            REPLUG,
        ),
        Error::BoardRefused { code: why @ Code::Bootlace(bootlace::ErrorCode::SupplyLow), .. } => (
            "BoardRefused",
            "The board’s supply is too low to begin an update.".into(),
            refused(*why),
        ),
        Error::BoardRefused { asked: it, code: why @ Code::Bootlace(bootlace::ErrorCode::NobodyPresent), .. } => (
            "BoardRefused",
            format!("The board was asked {}, and does so only while somebody is present.", asked(*it)),
            refused(*why),
        ),
        Error::BoardRefused { asked: Asked::Confirm, code, .. } if code.leaves_it_to_the_application() => (
            "BoardRefused",
            "The firmware that runs confirms itself once it has passed its own test; nobody else may.".into(),
            "Wait for it. If it does not, the board goes back to the firmware before.",
        ),
        Error::BoardRefused { asked: it, code: why, reason } => {
            let own = reason.as_ref().map_or_else(String::new, |reason| format!(" It says: “{reason}”."));
            ("BoardRefused", format!("The board was asked {} and refused: {}.{own}", asked(*it), code(*why)), refused(*why))
        }
        Error::Stuck { offset } => (
            "Stuck",
            format!("The upload makes no headway: the board asks for byte {offset} again and again."),
            "Try another cable or a lower speed. If it stays like this, the board's flash may be worn out.",
        ),
        Error::Mismatch => (
            "Mismatch",
            "What the board stored is not what was sent.".into(),
            "Start the update again. If it stays like this, the board's flash may be worn out.",
        ),
        Error::NotPending => (
            "NotPending",
            "The board took the image, but does not list it as the next to start.".into(),
            "Start the update again.",
        ),
        Error::DidNotRestart => (
            "DidNotRestart",
            "The board was told to restart three times, and did not.".into(),
            "Restart it by hand (reset button, or unplug it): it then swaps the images.",
        ),
        Error::OutcomeUnknown => (
            "OutcomeUnknown",
            "The board took the image and was restarted, but does not say what it runs: whether the update worked is \
             not known."
                .into(),
            "Look at the board: does it do what the new firmware does? An application without SMP, or one whose list \
             of images has no hashes, can't be asked.",
        ),
        Error::UnsupportedExchange { mode: 4 | 5 } => (
            "UnsupportedExchange",
            "The board’s bootloader runs images in place from either slot (direct XIP): nothing was sent.".into(),
            "Such a board needs an image that is linked for the slot that is free. Update it with the tools of its \
             vendor.",
        ),
        Error::UnsupportedExchange { mode } => (
            "UnsupportedExchange",
            format!("The board’s bootloader updates in a way that is not supported (MCUboot’s mode {mode}): nothing was sent."),
            "Restart it into MCUboot’s serial recovery, or update it with the tools of its vendor.",
        ),
        Error::StaysInBootloader => (
            "StaysInBootloader",
            "The new image is in place, but the board stays in its bootloader: whether the image runs is not known."
                .into(),
            "Let go of its button and restart it by hand, then connect: it says what it runs.",
        ),
        Error::DidNotReturn { waited } => (
            "DidNotReturn",
            format!("The board did not come back within {}.", time(*waited)),
            "Plug it in again, or restart it into its bootloader, and connect: it says what it runs.",
        ),
        Error::NotConfirmed => (
            "NotConfirmed",
            "The new image runs, but did not confirm itself in time: the board goes back at its next restart.".into(),
            "Restart the board to go back. The application has to confirm itself, or let the updater do it.",
        ),
        Error::NothingBoots { state: it } => (
            "NothingBoots",
            format!("The board starts nothing. {}", state(*it)),
            nothing_boots(*it),
        ),
        Error::PortLost => ("PortLost", "The port is gone.".into(), REPLUG),
        // The caller handles those about images.
        _ => ("Error", "Something is wrong with the image.".into(), "Start the update again."),
    };
    Sentence::new(name, what, next)
}

fn nothing_boots(state: BootState) -> &'static str {
    match state {
        BootState::FlashFailed => {
            "Its flash may be worn out. Start the update again; if it fails, replace the board."
        }
        _ => "Start the update again, with an image that is signed for this board.",
    }
}

fn asked(asked: Asked) -> &'static str {
    match asked {
        Asked::Describe => "who it is",
        Asked::State => "what it holds",
        Asked::Params => "how much it takes at once",
        Asked::SlotInfo => "how large its slots are",
        Asked::Upload => "to take a piece of the image",
        Asked::Patch => "to take a piece of a patch",
        Asked::Test => "to try the image",
        Asked::Journal => "what its last updates were",
        Asked::Confirm => "to confirm what it runs",
        Asked::Erase => "to erase its second slot",
        Asked::Reset => "to restart",
    }
}

pub(super) fn code(code: Code) -> String {
    use bootlace::ErrorCode as Companion;
    use img::ErrorCode as Image;
    let text = match code {
        Code::Generic(generic) => match generic {
            ErrorCode::Unknown => "something went wrong in it",
            ErrorCode::NoMemory => "it has no memory left",
            ErrorCode::Invalid => "it does not accept the request",
            ErrorCode::Timeout => "it took too long",
            ErrorCode::NoEntry => "it has no such thing",
            ErrorCode::BadState => "not in its present state",
            ErrorCode::TooLarge => "too large",
            ErrorCode::NotSupported => "it can't do that",
            ErrorCode::Corrupt => "its check of the image failed",
            ErrorCode::Busy => "it is busy",
            ErrorCode::AccessDenied => "it is not allowed",
            ErrorCode::TooOld => "this version of SMP is too old for it",
            ErrorCode::TooNew => "this version of SMP is too new for it",
        },
        Code::Image(image) => match image {
            Image::Unknown => "something went wrong with the image",
            Image::NoImage => "it holds no image there",
            Image::NoTlvs | Image::InvalidTlv => "the end of the image is damaged",
            Image::HashNotFound => "it does not find the image that it was sent",
            Image::NoFreeSlot => "no slot is free",
            Image::FlashReadFailed => "its flash can't be read",
            Image::FlashWriteFailed => "its flash can't be written",
            Image::FlashEraseFailed => "its flash can't be erased",
            Image::InvalidSlot => "it has no such slot",
            Image::InvalidOffset | Image::InvalidLength | Image::ImageDataOverrun => {
                "it does not accept this piece of the image"
            }
            Image::InvalidImageHeader | Image::InvalidImageHeaderMagic => {
                "what it was sent is no image to it"
            }
            Image::InvalidHash => "what arrived is not what was announced",
            Image::InvalidFlashAddress | Image::InvalidImageVectorTable => "the image is for another board",
            Image::CurrentVersionIsNewer => "what it runs is newer",
            Image::ImageAlreadyPending => "another image waits to be tried",
            Image::ImageTooLarge => "the image is larger than its slot",
            Image::ConfirmationDenied => "this image may not be confirmed",
            Image::SettingTestToActiveDenied => "it runs this image already",
        },
        Code::Bootlace(companion) => match companion {
            Companion::NoBase => "it has no image to start from",
            Companion::WrongBase => "it runs another image",
            Companion::PatchFormat => "the patch makes no sense to it",
            Companion::PatchVersion => "it does not know this kind of patch",
            Companion::PatchTooLarge => "it has no room for what the patch makes",
            Companion::PatchDamaged => "the patch did not arrive as it was sent",
            Companion::SupplyLow => "its supply is too low to begin an update",
            Companion::NobodyPresent => "nobody is present at the board",
        },
        Code::Other {
            group: Some(group),
            rc,
        } => return format!("code {rc} of group {group}"),
        Code::Other { group: None, rc } => return format!("code {rc}"),
    };
    text.to_string()
}

fn refused(code: Code) -> &'static str {
    match code {
        Code::Bootlace(bootlace::ErrorCode::SupplyLow) => {
            "Charge or replace its battery, or give it a better supply, then start the update again."
        }
        Code::Bootlace(bootlace::ErrorCode::NobodyPresent) => {
            "Hold the board’s button, or do what its maker says instead, and start the update again: what the board holds \
             already is not sent twice."
        }
        Code::Generic(ErrorCode::AccessDenied) => {
            "The maker of the board decides that: ask there how it is updated."
        }
        Code::Image(img::ErrorCode::CurrentVersionIsNewer) => {
            "Choose a newer image: this board takes no older ones."
        }
        Code::Generic(ErrorCode::Busy) => "Wait a moment and start the update again.",
        Code::Image(
            img::ErrorCode::FlashReadFailed
            | img::ErrorCode::FlashWriteFailed
            | img::ErrorCode::FlashEraseFailed,
        ) => "Start the update again. If it stays like this, the board's flash is worn out.",
        Code::Image(img::ErrorCode::ImageAlreadyPending | img::ErrorCode::NoFreeSlot) => {
            "Restart the board, then start the update again."
        }
        _ => "Start the update again. If it stays like this, choose an image that was made for this board.",
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::words;

    #[test]
    fn every_error_says_what_and_what_next() {
        let hash = [7; 32];
        let (image, board) = ([1; 16], [2; 16]);
        let asked = Asked::Upload;
        let errors = [
            Error::NoKeys,
            Error::UntrustedByBoard { key_hash: hash },
            Error::WrongVendor {
                image: Some(image),
                board,
            },
            Error::WrongVendor { image: None, board },
            Error::WrongClass {
                image: Some(image),
                board,
            },
            Error::WrongClass { image: None, board },
            Error::WrongAddress {
                start: 0,
                slot: 0x0800_0000,
                size: 0x1000,
            },
            Error::TooLarge { size: 2, max: 1 },
            Error::NeedsImage {
                image: 1,
                version: bootlace_image::Version::default(),
                found: None,
            },
            Error::TooOld { image: 1, board: 2 },
            Error::NotNewer,
            Error::NoDowngrade,
            Error::OtherOnTrial,
            Error::NoImageGroup,
            Error::NoBoard,
            Error::Busy,
            Error::Silent,
            Error::Garbage { bytes: 9 },
            Error::Echo,
            Error::BadAnswer { asked },
            Error::WentSilent { asked },
            Error::BoardRefused {
                asked,
                code: Code::Generic(ErrorCode::Busy),
                reason: Some("later".into()),
            },
            Error::BoardRefused {
                asked: Asked::Test,
                code: Code::Bootlace(bootlace::ErrorCode::NobodyPresent),
                reason: None,
            },
            Error::BoardRefused {
                asked: Asked::Confirm,
                code: Code::Generic(ErrorCode::AccessDenied),
                reason: None,
            },
            Error::Stuck { offset: 5 },
            Error::Mismatch,
            Error::NotPending,
            Error::DidNotRestart,
            Error::StaysInBootloader,
            Error::OutcomeUnknown,
            Error::UnsupportedExchange { mode: 4 },
            Error::UnsupportedExchange { mode: 6 },
            Error::DidNotReturn {
                waited: Duration::from_secs(600),
            },
            Error::NotConfirmed,
            Error::NothingBoots {
                state: BootState::NoImage,
            },
            Error::PortLost,
        ];
        for error in errors {
            let sentence = words::error(&error);
            let name: String = format!("{error:?}")
                .chars()
                .take_while(char::is_ascii_alphanumeric)
                .collect();
            assert_eq!(sentence.name, name);
            assert!(
                sentence.next.ends_with('.') && !sentence.what.is_empty(),
                "{sentence:?}"
            );
        }
    }
}
