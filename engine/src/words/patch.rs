//! What is said about patches.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt::Display;
use core::time::Duration;

use bootlace_delta::{Error, HeaderError, WholeError};

use super::{Sentence, board, bytes, time};
use crate::{NoPatch, Saving};

/// Why the whole image is sent instead of a patch, as a sentence.
pub fn no_patch(reason: NoPatch) -> String {
    match reason {
        NoPatch::NothingToSend => "The board holds the image already: nothing is sent.".into(),
        NoPatch::NothingRuns => {
            "The board runs nothing that a patch could start from: the whole image is sent.".into()
        }
        NoPatch::BaseNotFound => {
            "What the board runs is not at hand here, so no patch can be made: the whole image is sent."
                .into()
        }
        NoPatch::NotSmaller => "A patch would be no smaller than the image: the whole image is sent.".into(),
        NoPatch::NotMade => "No patch to this image could be made: the whole image is sent.".into(),
        NoPatch::NotSupported => "The board takes no patches: the whole image is sent.".into(),
        NoPatch::NoBase => {
            "The board can’t prove the image that the patch starts from: the whole image is sent.".into()
        }
        NoPatch::WrongBase => {
            "The board runs another image than the patch starts from: the whole image is sent.".into()
        }
        NoPatch::UnknownFormat => {
            "The board’s bootloader does not know this kind of patch: the whole image is sent.".into()
        }
        NoPatch::TooLarge => {
            "The board has no room for what the patch makes: the whole image is sent.".into()
        }
        NoPatch::Damaged => "The patch did not arrive as it was sent: the whole image is sent.".into(),
        NoPatch::WrongImage => {
            "What the board made of the patch is not the image: the whole image is sent.".into()
        }
        NoPatch::Stuck { .. } => {
            "The board asked for the same piece of the patch again and again: the whole image is sent.".into()
        }
        NoPatch::Refused(code) => {
            let why = board::code(code);
            format!("The board refused the patch ({why}): the whole image is sent.")
        }
    }
}

/// Why a patch can't be used.
pub fn patch_error(error: WholeError) -> Sentence {
    match error {
        WholeError::Patch(Error::Header(error)) => patch_header_error(error),
        WholeError::Patch(Error::WrongBase) => Sentence::new(
            "WrongBase",
            "This patch is for another image than the one given.",
            "Choose the image that the patch was made from: “bootlace delta show” tells its digest.",
        ),
        WholeError::Truncated => Sentence::new(
            "Truncated",
            "The patch is longer or shorter than it says.",
            "Copy or download the patch again.",
        ),
        _ => Sentence::new(
            "DamagedPatch",
            "The patch is damaged.",
            "Copy or download it again, or make it again.",
        ),
    }
}

/// Why a file is no patch.
pub fn patch_header_error(error: HeaderError) -> Sentence {
    match error {
        HeaderError::Version(version) => Sentence::new(
            "UnknownPatchVersion",
            format!("This patch has the format's version {version}, which this program does not know."),
            "Use a newer bootlace.",
        ),
        HeaderError::Magic => Sentence::new(
            "NoPatch",
            "This file is no patch.",
            "Choose a file that “bootlace delta make” wrote.",
        ),
        _ => Sentence::new(
            "DamagedPatch",
            "The patch is damaged.",
            "Copy or download it again, or make it again.",
        ),
    }
}

/// A patch that was made does not lead to the image.
pub fn patch_not_proved() -> Sentence {
    Sentence::new(
        "PatchFailed",
        "The patch that was made does not give the new image.",
        "This is a mistake in bootlace: please report it, and send the image as a whole.",
    )
}

/// A patch between an image and itself.
pub fn same_image() -> Sentence {
    Sentence::new(
        "SameImage",
        "Both files hold the same image: there is nothing to patch.",
        "Choose two versions of a firmware.",
    )
}

/// A patch of an image that only RSA signs; `path` is the file.
pub fn patch_for_rsa(path: impl Display) -> String {
    format!(
        "{path} is signed with RSA: boards that take patches run the companion, which checks ECDSA P-256 and Ed25519 only"
    )
}

/// Less than this is not told from nothing: how fast a line is shows roughly, and how fast a flash is not at all.
const NOTABLE: Duration = Duration::from_secs(3);

/// What a patch saves. Where the line is faster than flash it saves next to no time: the board writes its flash all the
/// same. `7 KB instead of 297 KB, about 19 s less`.
pub fn saving(saving: &Saving) -> String {
    let sizes = format!("{} instead of {}", bytes(saving.patch), bytes(saving.image));
    match saving.time {
        Some(saved) if saved >= NOTABLE => format!("{sizes}, about {} less", round(saved)),
        _ => sizes,
    }
}

/// Nobody believes a forecast's tenths.
fn round(length: Duration) -> String {
    match length.as_secs() {
        0..60 => format!("{} s", (length.as_millis() + 500) / 1000),
        seconds if seconds % 60 == 0 => format!("{} min", seconds / 60),
        _ => time(length).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_said_in_bytes_and_in_time() {
        let say = |pace| saving(&Saving::new(304_000, 6_000, pace));
        assert_eq!(say(Some(10_500)), "6 KB instead of 297 KB, about 21 s less");
        assert_eq!(say(None), "6 KB instead of 297 KB");
        assert_eq!(say(Some(1_000_000)), "6 KB instead of 297 KB");
        let long = saving(&Saving::new(4_000_000, 6_000, Some(10_000)));
        assert!(long.ends_with("about 5 min less"), "{long}");
    }
}
