//! A patch: the image in the primary slot is the base, proved by its digest before anything of it is used. What comes out
//! goes the way of an image, by the same ledger: after a power cut the patch is sent again, and what is in flash already is
//! neither erased nor written. An image goes on where its patch was, and a patch where the image was.

use bootlace_delta::{Applier, Error, HeaderError, Memory, Step, Unreadable};

use super::file::{Fault, FileDigest, FileId, Output};
use crate::flash::{Area, Flash};
use crate::layout::Layout;
use crate::slots::find;

/// The slots as an applier reads them.
struct Slots<'f, F>(&'f mut F);

impl<F: Flash> Memory for Slots<'_, F> {
    fn read_base(&mut self, offset: u32, out: &mut [u8]) -> Result<(), Unreadable> {
        self.0.read(Area::Primary, offset, out).map_err(|_| Unreadable)
    }

    fn read_target(&mut self, offset: u32, out: &mut [u8]) -> Result<(), Unreadable> {
        self.0.read(Area::Secondary, offset, out).map_err(|_| Unreadable)
    }
}

/// A patch that comes in pieces.
#[derive(Clone, Debug, Default)]
pub(super) struct PatchFile {
    file: Option<FileId>,
    received: u32,
}

impl PatchFile {
    /// The patch, if one has begun.
    pub(super) fn file(&self) -> Option<&FileId> {
        self.file.as_ref()
    }

    /// Bytes of the patch that have been received.
    pub(super) fn received(&self) -> u32 {
        self.received
    }

    pub(super) fn forget(&mut self) {
        self.file = None;
    }

    /// Looks at the patch's header, which its first piece has to hold; returns what the base must be.
    pub(super) fn open<F: Flash>(
        &mut self,
        flash: &mut F,
        file: &FileId,
        piece: &[u8],
        patches: Option<&mut Applier>,
    ) -> Result<FileId, Fault> {
        let applier = patches.ok_or(Fault::NoPatches)?;
        self.file = None;
        let (mut covered, mut base) = (0, None);
        if let Some(found) = find(flash, Area::Primary) {
            covered = found.image.covered_len();
            base = found.hash(flash);
        }
        let room = Layout::of(flash).max_image_size(flash);
        applier.start(covered, &base.unwrap_or_default(), room);
        let taken = applier.feed(piece).map_err(|error| match error {
            Error::WrongBase if base.is_none() => Fault::NoBase,
            error => fault(error),
        })?;
        let header = applier.header().ok_or(Fault::PatchFormat)?;
        (self.file, self.received) = (Some(*file), taken as u32);
        Ok(FileId {
            len: header.base_len,
            digest: Some(FileDigest(header.base_digest)),
        })
    }

    /// The base was compared: from now on it may be used, and the secondary slot written. Returns the image that the patch
    /// makes.
    pub(super) fn target(
        &mut self,
        base_matched: bool,
        patches: Option<&mut Applier>,
    ) -> Result<FileId, Fault> {
        match patches.as_deref().and_then(Applier::header) {
            Some(header) if base_matched || !header.method.has_base() => Ok(FileId {
                len: header.target_len,
                digest: Some(FileDigest(header.target_digest)),
            }),
            _ => {
                self.file = None;
                Err(Fault::NoBase)
            }
        }
    }

    /// Feeds or steps the applier, unless a page of it is out of which the slot has only `received` bytes of the image.
    /// `rest` gives the patch's bytes from an offset on, as far as they are there.
    pub(super) fn advance<'p, 'd, F: Flash>(
        &mut self,
        flash: &mut F,
        received: u32,
        rest: impl FnOnce(u32) -> &'d [u8],
        patches: Option<&'p mut Applier>,
    ) -> Result<Output<'p>, Fault> {
        let (Some(applier), Some(patch)) = (patches, &self.file) else {
            return Ok(Output::Lost);
        };
        // Of the page that is out; none where it is in flash already.
        let missing = applier.progress().saturating_sub(received) as usize;
        if missing > 0 {
            let page = applier.page();
            let start = page.len().saturating_sub(missing);
            return Ok(Output::Page(page.get(start..).unwrap_or_default()));
        }
        let rest = rest(self.received);
        let error = match applier.step(&mut Slots(flash)) {
            Ok(Step::Page { .. }) => return Ok(Output::Working),
            // The patch announced less than it needs.
            Ok(Step::NeedInput) if self.received == patch.len => Error::Length,
            Ok(_) if rest.is_empty() => return Ok(Output::NeedsPiece),
            Ok(_) => match applier.feed(rest) {
                Ok(taken) => {
                    self.received += taken as u32;
                    return Ok(Output::Working);
                }
                Err(error) => error,
            },
            Err(error) => error,
        };
        match error {
            Error::Stopped => Ok(Output::Lost),
            Error::Memory => Err(Fault::ReadFailed),
            error => Ok(Output::Spoiled(fault(error))),
        }
    }
}

fn fault(error: Error) -> Fault {
    match error {
        Error::Header(HeaderError::Version(_) | HeaderError::Method(_)) => Fault::PatchVersion,
        Error::Header(_) => Fault::PatchFormat,
        Error::WrongBase => Fault::WrongBase,
        Error::TooLarge => Fault::PatchTooLarge,
        _ => Fault::PatchDamaged,
    }
}
