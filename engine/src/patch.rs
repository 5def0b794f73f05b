//! Patches: what goes over the line in place of an image, why that may not work out, and what it saves.

use alloc::vec::Vec;
use core::time::Duration;

use bootlace_image::Image;
use bootlace_smp::ErrorCode as Generic;
use bootlace_smp::bootlace::ErrorCode;

use crate::{Code, Error};

/// What goes over the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Content {
    /// The whole image.
    Image,
    /// A patch, from which the board makes the image.
    Patch,
}

/// Why a patch is of no use, and the whole image is sent instead. Whatever the reason: what the board runs is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum NoPatch {
    /// Nothing is to be sent: the board holds the image already, or runs it.
    NothingToSend,
    /// The board runs nothing that a patch could start from, or gives no hash of it.
    NothingRuns,
    /// The image that the board runs is not at hand here.
    BaseNotFound,
    /// A patch would be no smaller than the image.
    NotSmaller,
    /// No patch that leads to the image could be made.
    NotMade,
    /// The board takes no patches.
    NotSupported,
    /// The board has no image that it could start from, or can't prove it.
    NoBase,
    /// The board runs another image than the patch is for.
    WrongBase,
    /// The board does not know this version or method of the format.
    UnknownFormat,
    /// The board has no room for what the patch makes.
    TooLarge,
    /// The patch arrived damaged, or makes no sense.
    Damaged,
    /// What the board made is not the image.
    WrongImage,
    /// The board asked for the same piece again and again.
    Stuck {
        /// The offset that it asked for.
        offset: u32,
    },
    /// The board refused for another reason.
    Refused(Code),
}

impl NoPatch {
    /// What an error while a patch is sent means; `None` where the whole image would fare no better.
    pub(crate) fn of(error: &Error) -> Option<NoPatch> {
        Some(match error {
            Error::BoardRefused { code, .. } => match code {
                Code::Bootlace(ErrorCode::NoBase) => NoPatch::NoBase,
                Code::Bootlace(ErrorCode::WrongBase) => NoPatch::WrongBase,
                Code::Bootlace(ErrorCode::PatchVersion) => NoPatch::UnknownFormat,
                Code::Bootlace(ErrorCode::PatchTooLarge) => NoPatch::TooLarge,
                Code::Bootlace(ErrorCode::PatchFormat | ErrorCode::PatchDamaged) => NoPatch::Damaged,
                Code::Generic(Generic::NotSupported) => NoPatch::NotSupported,
                // The image would be refused just the same.
                Code::Bootlace(ErrorCode::SupplyLow) => return None,
                code => NoPatch::Refused(*code),
            },
            Error::Mismatch => NoPatch::WrongImage,
            Error::Stuck { offset } => NoPatch::Stuck { offset: *offset },
            // The board's frames may hold no piece of a patch, or it says nonsense about one.
            Error::BadAnswer { .. } => NoPatch::NotSupported,
            _ => return None,
        })
    }

    /// Its name, for logs and scripts.
    pub const fn name(self) -> &'static str {
        match self {
            NoPatch::NothingToSend => "NothingToSend",
            NoPatch::NothingRuns => "NothingRuns",
            NoPatch::BaseNotFound => "BaseNotFound",
            NoPatch::NotSmaller => "NotSmaller",
            NoPatch::NotMade => "NotMade",
            NoPatch::NotSupported => "NotSupported",
            NoPatch::NoBase => "NoBase",
            NoPatch::WrongBase => "WrongBase",
            NoPatch::UnknownFormat => "UnknownFormat",
            NoPatch::TooLarge => "TooLarge",
            NoPatch::Damaged => "Damaged",
            NoPatch::WrongImage => "WrongImage",
            NoPatch::Stuck { .. } => "Stuck",
            NoPatch::Refused(_) => "Refused",
        }
    }
}

/// What a patch can start from: an image as the board has it, whose digest it can prove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base<'a> {
    /// Its digest, which is what the board lists as the hash of the image that it runs.
    pub hash: Vec<u8>,
    /// What the digest covers: header, payload, protected TLVs.
    pub bytes: &'a [u8],
    /// The whole image, signature included, without what may follow it in the file: what a patch leads to.
    pub whole: &'a [u8],
}

impl<'a> Base<'a> {
    /// The image in a file; `None` for any other file, and for one whose digest is not right. Reads all of it.
    pub fn of(file: &'a [u8]) -> Option<Self> {
        let mut source = file;
        let image = Image::read(&mut source).ok()?;
        let hash = image.hash(&mut source).ok()?;
        (image.digest(&mut source).ok()? == hash).then_some(())?;
        Some(Base {
            hash: hash.as_bytes().to_vec(),
            bytes: file.get(..image.covered_len() as usize)?,
            whole: file.get(..image.total_len() as usize)?,
        })
    }
}

/// What a patch saves. The board writes as much flash as ever, so over a fast line it saves bytes and hardly any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Saving {
    /// Bytes of the whole image.
    pub image: u32,
    /// Bytes of the patch.
    pub patch: u32,
    /// Time, roughly; `None` where the line's speed is not known.
    pub time: Option<Duration>,
}

/// Microseconds that flash takes for a byte, erased and programmed: between an nRF52 (31) and an STM32F4 (about 15).
const FLASH_MICROS_PER_BYTE: u64 = 25;

impl Saving {
    /// What sending `patch` bytes instead of `image` saves at `pace` bytes a second.
    pub fn new(image: u32, patch: u32, pace: Option<u32>) -> Self {
        let flash = u64::from(image) * FLASH_MICROS_PER_BYTE;
        let takes = |bytes: u32, pace: u32| (u64::from(bytes) * 1_000_000 / u64::from(pace)).max(flash);
        let time = pace
            .filter(|pace| *pace > 0)
            .map(|pace| Duration::from_micros(takes(image, pace).saturating_sub(takes(patch, pace))));
        Saving { image, patch, time }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_saved_where_the_line_is_slower_than_flash() {
        let seconds = |pace| Saving::new(300_000, 6_000, pace).time.map(|time| time.as_secs());
        assert_eq!(seconds(Some(11_000)), Some(19));
        assert_eq!(seconds(Some(400_000)), Some(0));
        assert_eq!((seconds(None), seconds(Some(0))), (None, None));
    }
}
