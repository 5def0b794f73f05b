//! Pieces of an image on their way into the secondary slot, as they are or as a patch.
//!
//! The board's offset is the authority: a piece that does not start there is answered with the offset that is due,
//! and an end that does not fill a write unit is left to be sent again.

use bootlace_image::{Header as ImageHeader, Version};
use bootlace_smp::Response;
use bootlace_smp::img::{ErrorCode as ImageError, Response as Answer, Upload as Message};

use super::store::{Matching, Put, Sha, Transfer};
use super::{Job, Patches, Refused, Runner, Server, Step, ledger};
use crate::flash::{Area, Flash};
use crate::layout::Layout;
use crate::link::{Link, Memory};
use crate::slots::find;
use crate::trailer::TrailerWrite;

/// What a packet says about a piece; the data stays in the packet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Piece {
    /// It is a piece of a patch.
    #[cfg(feature = "delta")]
    pub(super) patch: bool,
    image: u32,
    pub(super) off: u32,
    pub(super) len: Option<u32>,
    pub(super) sha: Option<Sha>,
    upgrade: bool,
    /// Where the data lies in its packet.
    pub(super) data: (usize, usize),
}

/// Where bytes of a packet lie in it: that survives where a borrow would not.
pub(super) fn place(data: &[u8], packet: &[u8]) -> (usize, usize) {
    (
        (data.as_ptr() as usize).wrapping_sub(packet.as_ptr() as usize),
        data.len(),
    )
}

/// The bytes at such a place.
pub(super) fn at_place(packet: &[u8], (start, len): (usize, usize)) -> &[u8] {
    packet
        .get(start..)
        .and_then(|rest| rest.get(..len))
        .unwrap_or_default()
}

impl Piece {
    #[inline(never)]
    pub(super) fn note(&mut self, message: &Message, packet: &[u8]) {
        self.image = message.image.unwrap_or(0);
        self.off = message.off;
        self.len = message.len;
        self.sha = message
            .sha
            .filter(|sha| sha.len() == 32)
            .and_then(|sha| sha.first_chunk().copied())
            .map(Sha);
        self.upgrade = message.upgrade;
        self.data = place(message.data, packet);
    }

    /// The piece's data from an offset in the file on.
    pub(super) fn rest<'l, M: Memory>(&self, link: &'l Link<M>, at: u32) -> &'l [u8] {
        let done = at.saturating_sub(self.off) as usize;
        link.packet()
            .and_then(|(packet, _)| at_place(packet, self.data).get(done..))
            .unwrap_or_default()
    }

    fn answer(&self, off: u32, matched: Option<bool>) -> Response<'static> {
        #[cfg(feature = "delta")]
        if self.patch {
            return Response::Bootlace(bootlace_smp::bootlace::Response::Patch { off, matched });
        }
        Response::Img(Answer::Upload { off, matched })
    }
}

/// What is done about a piece.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stage {
    /// The base of a patch is to be proved.
    #[cfg(feature = "delta")]
    Prove,
    /// The slot's old trailer goes first: no request may outlive the image that it was made for.
    Unmark(TrailerWrite),
    /// The ledger of the upload begins.
    Note,
    /// What is left of the piece is to be written; the unit that comes next was erased just now where `ready`.
    Write { ready: bool },
    /// What is in flash may be worth a mark in the ledger.
    Mark,
    /// What is in the slot is not what was announced: its ledger is erased. Refused for a reason, or told so.
    Forget(TrailerWrite, Option<Refused>),
    /// To be refused.
    Refuse(Refused),
    /// To be answered with this offset, and whether the file's digest is right.
    Answer(u32, Option<bool>),
}

impl Stage {
    /// What comes after a first piece of a file of which so much is there already. At its end it is to be matched.
    fn go_on(at: u32, len: u32) -> Self {
        if at == len {
            Stage::Write { ready: false }
        } else {
            Stage::Answer(at, None)
        }
    }
}

impl<R: Runner> Server<'_, R> {
    #[inline(never)]
    pub(super) fn begin_piece<F: Flash, M: Memory>(
        &mut self,
        link: &mut Link<M>,
        flash: &mut F,
        patches: Patches,
    ) -> Step {
        match self.accept(link, flash, patches) {
            Ok(stage) => self.job = Job::Receiving(stage),
            // The answer needs the reply's buffer: try again when the last one has left.
            Err(_) if link.is_sending() => return Step::Idle,
            Err(fault) => {
                link.release();
                self.refuse(link, fault);
            }
        }
        Step::Working
    }

    /// The file that the piece belongs to, if it has begun.
    #[inline(never)]
    pub(super) fn transfer(&self) -> Option<Transfer> {
        let upload = self.upload.as_ref()?;
        #[cfg(feature = "delta")]
        if self.piece.patch {
            return self.patch;
        }
        Some(upload.file)
    }

    /// Whether the piece is welcome, and what to do with it.
    fn accept<F: Flash, M: Memory>(
        &mut self,
        link: &Link<M>,
        flash: &mut F,
        patches: Patches,
    ) -> Result<Stage, Refused> {
        let piece = &self.piece;
        let (off, announced) = (piece.off, piece.len);
        // Some clients count images from 1.
        if piece.image > 1 {
            return Err(ImageError::InvalidSlot.into());
        }
        let end = off.saturating_add(piece.data.1 as u32);
        if off == 0 {
            let len = announced.ok_or(ImageError::InvalidLength)?;
            self.may_change(flash)?;
            if end > len {
                return Err(ImageError::ImageDataOverrun.into());
            }
            #[cfg(feature = "delta")]
            if self.piece.patch {
                return self.begin_patch(link, flash, len, patches);
            }
            let _ = patches;
            return self.begin(link, flash, len);
        }
        let Some(file) = self.transfer() else {
            return Ok(Stage::Answer(0, None));
        };
        if off != file.at {
            return Ok(Stage::Answer(file.at, None));
        }
        if end > file.len {
            return Err(ImageError::ImageDataOverrun.into());
        }
        #[cfg(feature = "delta")]
        if !self.piece.patch {
            self.patch = None;
        }
        Ok(Stage::Write { ready: false })
    }

    #[inline(never)]
    fn begin<F: Flash, M: Memory>(
        &mut self,
        link: &Link<M>,
        flash: &mut F,
        len: u32,
    ) -> Result<Stage, Refused> {
        if len > Layout::of(flash).max_image_size(flash) {
            return Err(ImageError::ImageTooLarge.into());
        }
        let header = self.piece.rest(link, 0).first_chunk();
        let header = header.ok_or(ImageError::InvalidImageHeader)?;
        let header = ImageHeader::parse(header).map_err(|_| ImageError::InvalidImageHeaderMagic)?;
        if self.piece.upgrade && !self.is_newer(flash, header.version) {
            return Err(ImageError::CurrentVersionIsNewer.into());
        }
        if let Some(answer) = self.resume(flash, len) {
            return Ok(answer);
        }
        #[cfg(feature = "delta")]
        {
            self.patch = None;
        }
        let opened = self.open(flash, len, self.piece.sha);
        Ok(opened.unwrap_or_else(|at| Stage::go_on(at, len)))
    }

    /// Where a file goes on that the server remembers.
    #[inline(never)]
    pub(super) fn resume<F: Flash>(&mut self, flash: &mut F, len: u32) -> Option<Stage> {
        // An upload that was complete is gone once a swap moved the slot's image.
        if self
            .upload
            .is_some_and(|upload| upload.file.at == upload.file.len)
        {
            let whole = find(flash, Area::Secondary).is_some_and(|found| found.base == 0);
            if !whole {
                self.upload = None;
            }
        }
        let (file, sha) = (self.transfer()?, self.piece.sha);
        let same = file.len == len && sha.is_some() && file.sha == sha && file.at > 0;
        same.then(|| Stage::go_on(file.at, len))
    }

    fn is_newer<F: Flash>(&self, flash: &mut F, version: Version) -> bool {
        find(flash, Area::Primary).is_none_or(|found| version > found.image.header().version)
    }

    pub(super) fn receive<F: Flash, M: Memory>(
        &mut self,
        link: &mut Link<M>,
        flash: &mut F,
        patches: Patches,
    ) -> Step {
        let Job::Receiving(stage) = &mut self.job else {
            return Step::Working;
        };
        let next = match stage {
            #[cfg(feature = "delta")]
            Stage::Prove => {
                let mut matching = Matching::default();
                matching.base = true;
                self.job = Job::Matching(matching);
                return Step::Working;
            }
            Stage::Unmark(write) => match write.step(flash) {
                Ok(true) => Ok(Stage::Note),
                Ok(false) => return Step::Working,
                Err(_) => Err(ImageError::FlashEraseFailed.into()),
            },
            Stage::Note => {
                if let Some(upload) = &self.upload
                    && let Some(Sha(sha)) = upload.file.sha
                {
                    // Without it, an interrupted upload begins anew: no reason to refuse this one.
                    let _ = ledger::begin(
                        flash,
                        upload.file.len,
                        sha.first_chunk().copied().unwrap_or_default(),
                    );
                }
                Ok(Stage::Write { ready: false })
            }
            Stage::Forget(write, fault) => {
                // Flash that cannot be erased is told about at the next upload.
                if !write.step(flash).unwrap_or(true) {
                    return Step::Working;
                }
                let fault = *fault;
                let off = self.transfer().map_or(0, |file| file.at);
                self.upload = None;
                fault.map_or(Ok(Stage::Answer(off, Some(false))), Err)
            }
            #[cfg(feature = "delta")]
            Stage::Write { ready } if self.piece.patch => {
                let ready = *ready;
                self.apply(link, flash, ready, patches)
            }
            Stage::Write { ready } => {
                let (ready, _) = (*ready, patches);
                let rest = self.piece.rest(link, self.at());
                self.put(flash, rest, ready).map(|put| match put {
                    Put::Nothing | Put::Undone => Stage::Answer(self.at(), None),
                    Put::Erased => Stage::Write { ready: true },
                    Put::Written => Stage::Mark,
                })
            }
            Stage::Mark => {
                if self.has_sha() {
                    // A missing mark costs sending some data again, no more.
                    let _ = ledger::mark(flash, self.at());
                }
                Ok(Stage::Write { ready: false })
            }
            Stage::Answer(..) | Stage::Refuse(_) if link.is_sending() => return Step::Idle,
            Stage::Refuse(fault) => {
                let fault = *fault;
                link.release();
                self.refuse(link, fault);
                return Step::Working;
            }
            Stage::Answer(off, matched) => {
                let answer = self.piece.answer(*off, *matched);
                link.release();
                self.answer(link, &answer);
                return Step::Working;
            }
        };
        self.job = match next {
            Ok(Stage::Answer(off, None)) if self.is_to_be_matched(off) => Job::Matching(Matching::default()),
            Ok(stage) => Job::Receiving(stage),
            Err(fault) => {
                self.upload = None;
                // It waits for the line, if need be: an error that is swallowed makes clients loop.
                Job::Receiving(Stage::Refuse(fault))
            }
        };
        Step::Working
    }

    fn has_sha(&self) -> bool {
        self.upload
            .as_ref()
            .is_some_and(|upload| upload.file.sha.is_some())
    }

    fn is_to_be_matched(&self, off: u32) -> bool {
        self.has_sha() && self.transfer().is_some_and(|file| off == file.len)
    }
}
