//! Pieces of a patch. The image in the primary slot is the base, proved by its digest before anything of it is used;
//! what comes out goes the way of an upload, by the same ledger: after a power cut the patch is sent again, and what is in
//! flash already is neither erased nor written. An upload of the same image goes on where its patch was, and a patch where
//! the upload was.

use bootlace_delta::{Applier, Error, HeaderError, Memory as Images, Step, Unreadable};
use bootlace_smp::bootlace::ErrorCode;
use bootlace_smp::img::ErrorCode as ImageError;

use super::store::{Put, Sha, Transfer};
use super::upload::Stage;
use super::{Refused, Runner, Server};
use crate::flash::{Area, Flash};
use crate::layout::Layout;
use crate::link::{Link, Memory};
use crate::slots::find;
use crate::trailer::TrailerWrite;

/// Where patches are applied, if anywhere.
pub(super) type Patches<'p> = Option<&'p mut Applier>;

/// The slots as an applier reads them.
struct Slots<'f, F>(&'f mut F);

impl<F: Flash> Images for Slots<'_, F> {
    fn read_base(&mut self, offset: u32, out: &mut [u8]) -> Result<(), Unreadable> {
        self.0.read(Area::Primary, offset, out).map_err(|_| Unreadable)
    }

    fn read_target(&mut self, offset: u32, out: &mut [u8]) -> Result<(), Unreadable> {
        self.0.read(Area::Secondary, offset, out).map_err(|_| Unreadable)
    }
}

/// What is to be found in the primary slot.
pub(super) fn base(patches: Option<&Applier>) -> Option<Transfer> {
    let header = patches?.header()?;
    Some(Transfer {
        len: header.base_len,
        at: 0,
        sha: Some(Sha(header.base_digest)),
    })
}

impl<R: Runner> Server<'_, R> {
    /// Looks at the patch's header, which its first piece has to hold; nothing is erased or written before the base is
    /// proved.
    #[inline(never)]
    pub(super) fn begin_patch<F: Flash, M: Memory>(
        &mut self,
        link: &Link<M>,
        flash: &mut F,
        len: u32,
        patches: Patches,
    ) -> Result<Stage, Refused> {
        let applier = patches.ok_or(bootlace_smp::ErrorCode::NotSupported)?;
        if let Some(answer) = self.resume(flash, len) {
            return Ok(answer);
        }
        self.patch = None;
        let (mut covered, mut digest) = (0, None);
        if let Some(found) = find(flash, Area::Primary) {
            covered = found.image.covered_len();
            digest = found.hash(flash);
        }
        applier.start(
            covered,
            &digest.unwrap_or_default(),
            Layout::of(flash).max_image_size(flash),
        );
        let fed = applier.feed(self.piece.rest(link, 0));
        let taken = fed.map_err(|error| match error {
            Error::WrongBase if digest.is_none() => ErrorCode::NoBase.into(),
            error => fault(error),
        })?;
        if applier.header().is_none() {
            return Err(ErrorCode::PatchFormat.into());
        }
        self.patch = Some(Transfer {
            len,
            at: taken as u32,
            sha: self.piece.sha,
        });
        Ok(Stage::Prove)
    }

    /// The base was read: from now on it may be used, and the secondary slot written.
    pub(super) fn proved<F: Flash>(&mut self, flash: &mut F, right: bool, patches: Patches) -> Stage {
        match patches.as_deref().and_then(Applier::header) {
            Some(header) if right || !header.method.has_base() => self
                .open(flash, header.target_len, Some(Sha(header.target_digest)))
                .unwrap_or(Stage::Write { ready: false }),
            _ => {
                self.patch = None;
                Stage::Refuse(ErrorCode::NoBase.into())
            }
        }
    }

    /// One erase or one program of the page that the patch has made, or the work for the next page.
    #[inline(never)]
    pub(super) fn apply<F: Flash, M: Memory>(
        &mut self,
        link: &Link<M>,
        flash: &mut F,
        ready: bool,
        patches: Patches,
    ) -> Result<Stage, Refused> {
        let anew = Ok(Stage::Answer(0, None));
        let at = self.at();
        let (Some(applier), Some(patch)) = (patches, &mut self.patch) else {
            return anew;
        };
        // Of the page that is out; none where it is in flash already.
        let missing = applier.progress().saturating_sub(at) as usize;
        if missing > 0 {
            let page = applier.page();
            let rest = page.get(page.len().saturating_sub(missing)..).unwrap_or_default();
            return match self.put(flash, rest, ready)? {
                Put::Erased => Ok(Stage::Write { ready: true }),
                Put::Written => Ok(Stage::Mark),
                Put::Undone | Put::Nothing => {
                    // The stream can't go back: from its start, up to the unit that is to be written again.
                    self.patch = None;
                    anew
                }
            };
        }
        let rest = self.piece.rest(link, patch.at);
        let error = match applier.step(&mut Slots(flash)) {
            Ok(Step::Page { .. }) => return Ok(Stage::Write { ready: false }),
            // It announced less than it needs.
            Ok(Step::NeedInput) if patch.at == patch.len => Error::Length,
            Ok(_) if rest.is_empty() => return Ok(Stage::Answer(patch.at, None)),
            Ok(_) => match applier.feed(rest) {
                Ok(taken) => {
                    patch.at += taken as u32;
                    return Ok(Stage::Write { ready: false });
                }
                Err(error) => error,
            },
            Err(error) => error,
        };
        match error {
            // The applier's memory was needed for something else meanwhile.
            Error::Stopped => {
                self.patch = None;
                anew
            }
            Error::Memory => Err(ImageError::FlashReadFailed.into()),
            // What it has written may be wrong: nobody is to go on with that.
            error => {
                let clear = TrailerWrite::clear(Area::Secondary);
                Ok(Stage::Forget(clear, Some(fault(error))))
            }
        }
    }
}

/// What to answer about a patch.
fn fault(error: Error) -> Refused {
    match error {
        Error::Header(HeaderError::Version(_) | HeaderError::Method(_)) => ErrorCode::PatchVersion,
        Error::Header(_) => ErrorCode::PatchFormat,
        Error::WrongBase => ErrorCode::WrongBase,
        Error::TooLarge => ErrorCode::PatchTooLarge,
        _ => ErrorCode::PatchDamaged,
    }
    .into()
}
