//! What is said about patches.

use alloc::format;
use alloc::string::{String, ToString};
use core::time::Duration;

use super::{board, bytes, time};
use crate::{NoPatch, Saving};

/// Why the whole image is sent instead of a patch, as a sentence.
pub fn no_patch(reason: NoPatch) -> String {
    let why = match reason {
        NoPatch::NotSupported => "The board takes no patches",
        NoPatch::NoBase => "The board can’t prove the image that the patch starts from",
        NoPatch::WrongBase => "The board runs another image than the patch starts from",
        NoPatch::UnknownFormat => "The board’s bootloader does not know this kind of patch",
        NoPatch::TooLarge => "The board has no room for what the patch makes",
        NoPatch::Damaged => "The patch did not arrive as it was sent",
        NoPatch::WrongImage => "What the board made of the patch is not the image",
        NoPatch::Stuck { .. } => "The board asked for the same piece of the patch again and again",
        NoPatch::Refused(code) => {
            return format!(
                "The board refused the patch ({}): the whole image is sent.",
                board::code(code)
            );
        }
    };
    format!("{why}: the whole image is sent.")
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
