//! What is said about a file and its pieces.

use bootlace_image::Version;

/// The first bytes of a file's SHA-256: they tell files apart and show what was damaged on the way. Trust comes from the
/// image's signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileDigest(pub [u8; 8]);

/// What a file is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// An image, as it is to lie in the slot.
    #[default]
    Image,
    /// A patch that makes an image from the one in the primary slot.
    Patch,
}

/// A file that is to come in pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File {
    /// What it is.
    pub kind: Kind,
    /// Bytes of the whole file.
    pub len: u32,
    /// Start of its SHA-256. Without one the file can't go on where it was interrupted, and is compared with nothing.
    pub digest: Option<FileDigest>,
    /// An image must not be of an older version than this. A patch is not asked: its header names no version.
    pub oldest: Option<Version>,
    /// Nor may an image be of that very version.
    pub newer_only: bool,
}

/// A piece of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'d> {
    /// Bytes of the file before it.
    pub offset: u32,
    /// Its bytes.
    pub data: &'d [u8],
}

impl<'d> Piece<'d> {
    /// The file's bytes from an offset on, as far as the piece has them.
    pub(super) fn from(&self, offset: u32) -> &'d [u8] {
        let done = offset.saturating_sub(self.offset) as usize;
        self.data.get(done..).unwrap_or_default()
    }
}

/// How far a file has been received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Offset in bytes of the piece that is due.
    pub offset: u32,
    /// Whether the whole image in flash has the digest that was announced; `None` before its end, or where none was.
    pub matched: Option<bool>,
}

/// What tells a file from others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FileId {
    pub(super) len: u32,
    pub(super) digest: Option<FileDigest>,
}

impl FileId {
    /// Whether both are surely the same file.
    pub(super) fn is(&self, other: &FileId) -> bool {
        self.digest.is_some() && self == other
    }
}

/// What a patch has for the slot.
#[cfg_attr(
    not(feature = "delta"),
    allow(dead_code, reason = "patch.rs makes the others")
)]
pub(super) enum Output<'p> {
    /// These bytes of the image come next.
    Page(&'p [u8]),
    /// Nothing yet: there is more to do with the same piece.
    Working,
    /// The piece is used up.
    NeedsPiece,
    /// The applier's memory was used for something else meanwhile: the patch is to be sent again from its start.
    Lost,
    /// What was written so far may be wrong: nobody is to go on with that.
    Spoiled(Fault),
}

/// What a step of [`Intake`](super::Intake) came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// There is more to do with the same piece.
    Again,
    /// The next step begins to replace what is in the slot. A caller that keeps records about it changes them first.
    Replaces,
    /// The piece is dealt with.
    Done(Received),
    /// The file is refused.
    Refused(Fault),
}

/// Why a file is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is larger than the largest image.
    TooLarge,
    /// The piece ends after the file's end.
    Overrun,
    /// Its first piece has no room for an image's header.
    NoHeader,
    /// It does not begin as an image does.
    NotAnImage,
    /// It is of an older version than is taken, or not of a newer one, as was asked for.
    NotNewer,
    /// The slot could not be erased.
    EraseFailed,
    /// The slot could not be written.
    WriteFailed,
    /// A slot could not be read.
    ReadFailed,
    /// Patches are not taken.
    NoPatches,
    /// The primary slot holds no image that could be a patch's base, or not the whole of it.
    NoBase,
    /// The patch is for another base.
    WrongBase,
    /// It is no patch.
    PatchFormat,
    /// It is a patch of a version or method that is not known here.
    PatchVersion,
    /// What the patch makes is larger than the largest image.
    PatchTooLarge,
    /// The patch makes no sense in the middle.
    PatchDamaged,
}
