//! Pieces of an image on their way into the secondary slot, as they are or as a patch.
//!
//! The board's offset is the authority: a piece that does not start there is answered with the offset that is due,
//! and an end that does not fill a write unit is left to be sent again.

use bootlace_image::{Header as ImageHeader, Version};
use bootlace_smp::Response;
use bootlace_smp::img::{ErrorCode as ImageError, Response as Answer, Upload as Message};

use super::store::{Matching, Put, Sha, Transfer, Upload};
use super::{Asker, Job, Patches, Refused, Server, Step, ledger};
use crate::flash::{Area, Flash};
use crate::link::{Link, Memory};
use crate::slots::find;
use crate::swap::max_image_size;
use crate::trailer::TrailerWrite;

/// What a packet says about a piece; the data stays in the packet.
#[derive(Clone, Copy, Debug)]
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
    data: (usize, usize),
    /// The first bytes of the image, where the piece has them all.
    header: Option<[u8; ImageHeader::LEN]>,
}

impl Piece {
    pub(super) fn new(message: &Message, packet: &[u8]) -> Self {
        // The data is a part of the packet: its place survives where a borrow would not.
        let start = (message.data.as_ptr() as usize).wrapping_sub(packet.as_ptr() as usize);
        Piece {
            #[cfg(feature = "delta")]
            patch: false,
            image: message.image.unwrap_or(0),
            off: message.off,
            len: message.len,
            sha: message
                .sha
                .filter(|sha| sha.len() == 32)
                .and_then(|sha| sha.first_chunk().copied()),
            upgrade: message.upgrade,
            data: (start, message.data.len()),
            header: message.data.first_chunk().copied(),
        }
    }

    #[cfg(feature = "delta")]
    pub(super) fn of_patch(message: &Message, packet: &[u8]) -> Self {
        let mut piece = Piece::new(message, packet);
        piece.patch = true;
        piece
    }

    /// The piece's data from an offset in the file on.
    pub(super) fn rest<'l, M: Memory>(&self, link: &'l Link<M>, at: u32) -> &'l [u8] {
        let done = at.saturating_sub(self.off) as usize;
        link.packet()
            .and_then(|(packet, _)| packet.get(self.data.0..)?.get(..self.data.1)?.get(done..))
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

/// A piece that is being written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receiving {
    pub(super) piece: Piece,
    pub(super) stage: Stage,
}

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

impl Server<'_> {
    #[inline(never)]
    pub(super) fn begin_piece<F: Flash, M: Memory>(
        &mut self,
        link: &mut Link<M>,
        flash: &mut F,
        asker: Asker,
        piece: Piece,
        patches: Patches,
    ) -> Step {
        match self.accept(link, flash, piece, patches) {
            Ok(stage) => self.job = Job::Receiving(asker, Receiving { piece, stage }),
            // The answer needs the reply's buffer: try again when the last one has left.
            Err(_) if link.is_sending() => return Step::Idle,
            Err(fault) => {
                link.release();
                self.answer(link, asker, Err(fault));
            }
        }
        Step::Working
    }

    /// The file that this is a piece of, if it has begun.
    pub(super) fn transfer(&self, piece: &Piece) -> Option<Transfer> {
        let upload = self.upload.as_ref()?;
        #[cfg(feature = "delta")]
        if piece.patch {
            return self.patch;
        }
        let _ = piece;
        Some(upload.file)
    }

    /// Whether the piece is welcome, and what to do with it.
    #[inline(never)]
    fn accept<F: Flash, M: Memory>(
        &mut self,
        link: &Link<M>,
        flash: &mut F,
        piece: Piece,
        patches: Patches,
    ) -> Result<Stage, Refused> {
        // Some clients count images from 1.
        if piece.image > 1 {
            return Err(ImageError::InvalidSlot.into());
        }
        let end = u64::from(piece.off) + piece.data.1 as u64;
        if piece.off == 0 {
            let len = piece.len.ok_or(ImageError::InvalidLength)?;
            self.may_change(flash)?;
            if end > u64::from(len) {
                return Err(ImageError::ImageDataOverrun.into());
            }
            #[cfg(feature = "delta")]
            if piece.patch {
                return self.begin_patch(link, flash, piece, len, patches);
            }
            let _ = (link, patches);
            return self.begin(flash, piece, len);
        }
        let Some(file) = self.transfer(&piece) else {
            return Ok(Stage::Answer(0, None));
        };
        if piece.off != file.at {
            return Ok(Stage::Answer(file.at, None));
        }
        if end > u64::from(file.len) {
            return Err(ImageError::ImageDataOverrun.into());
        }
        #[cfg(feature = "delta")]
        if !piece.patch {
            self.patch = None;
        }
        Ok(Stage::Write { ready: false })
    }

    #[inline(never)]
    fn begin<F: Flash>(&mut self, flash: &mut F, piece: Piece, len: u32) -> Result<Stage, Refused> {
        if len > max_image_size(flash) {
            return Err(ImageError::ImageTooLarge.into());
        }
        let header = piece.header.ok_or(ImageError::InvalidImageHeader)?;
        let header = ImageHeader::parse(&header).map_err(|_| ImageError::InvalidImageHeaderMagic)?;
        if piece.upgrade && !self.is_newer(flash, header.version) {
            return Err(ImageError::CurrentVersionIsNewer.into());
        }
        if let Some(answer) = self.resume(flash, &piece, len) {
            return Ok(answer);
        }
        #[cfg(feature = "delta")]
        {
            self.patch = None;
        }
        let opened = self.open(flash, len, piece.sha);
        Ok(opened.unwrap_or_else(|at| Stage::go_on(at, len)))
    }

    /// Where a file goes on that the server remembers.
    pub(super) fn resume<F: Flash>(&mut self, flash: &mut F, piece: &Piece, len: u32) -> Option<Stage> {
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
        let file = self.transfer(piece)?;
        let same = file.len == len && piece.sha.is_some() && file.sha == piece.sha && file.at > 0;
        same.then(|| Stage::go_on(file.at, len))
    }

    fn is_newer<F: Flash>(&self, flash: &mut F, version: Version) -> bool {
        find(flash, Area::Primary).is_none_or(|found| version > found.image.header().version)
    }

    #[inline(never)]
    pub(super) fn receive<F: Flash, M: Memory>(
        &mut self,
        link: &mut Link<M>,
        flash: &mut F,
        asker: Asker,
        mut receiving: Receiving,
        patches: Patches,
    ) -> Step {
        let piece = receiving.piece;
        let next = match receiving.stage {
            #[cfg(feature = "delta")]
            Stage::Prove => {
                self.job = Job::Matching(asker, Matching::of_base(piece));
                return Step::Working;
            }
            Stage::Unmark(mut write) => match write.step(flash) {
                Ok(true) => Ok(Stage::Note),
                Ok(false) => Ok(Stage::Unmark(write)),
                Err(_) => Err(ImageError::FlashEraseFailed.into()),
            },
            Stage::Note => {
                if let Some(Upload { file, .. }) = self.upload
                    && let Some(sha) = file.sha
                {
                    // Without it, an interrupted upload begins anew: no reason to refuse this one.
                    let _ = ledger::begin(flash, file.len, sha.first_chunk().copied().unwrap_or_default());
                }
                Ok(Stage::Write { ready: false })
            }
            Stage::Forget(mut write, fault) => {
                // Flash that cannot be erased is told about at the next upload.
                if write.step(flash).unwrap_or(true) {
                    let off = self.transfer(&piece).map_or(0, |file| file.at);
                    self.upload = None;
                    fault.map_or(Ok(Stage::Answer(off, Some(false))), Err)
                } else {
                    Ok(Stage::Forget(write, fault))
                }
            }
            #[cfg(feature = "delta")]
            Stage::Write { ready } if piece.patch => self.apply(link, flash, piece, ready, patches),
            Stage::Write { ready } => {
                let _ = patches;
                let rest = piece.rest(link, self.at());
                self.put(flash, rest, ready).map(|put| match put {
                    Put::Nothing | Put::Undone => Stage::Answer(self.at(), None),
                    Put::Erased => Stage::Write { ready: true },
                    Put::Written => Stage::Mark,
                })
            }
            Stage::Mark => {
                if self.upload.is_some_and(|upload| upload.file.sha.is_some()) {
                    // A missing mark costs sending some data again, no more.
                    let _ = ledger::mark(flash, self.at());
                }
                Ok(Stage::Write { ready: false })
            }
            Stage::Answer(..) | Stage::Refuse(_) if link.is_sending() => {
                self.job = Job::Receiving(asker, receiving);
                return Step::Idle;
            }
            Stage::Refuse(fault) => {
                link.release();
                self.answer(link, asker, Err(fault));
                return Step::Working;
            }
            Stage::Answer(off, matched) => {
                link.release();
                self.answer(link, asker, Ok(piece.answer(off, matched)));
                return Step::Working;
            }
        };
        match next {
            Ok(Stage::Answer(off, None)) if self.is_to_be_matched(&piece, off) => {
                self.job = Job::Matching(asker, Matching::new(piece));
            }
            Ok(stage) => {
                receiving.stage = stage;
                self.job = Job::Receiving(asker, receiving);
            }
            Err(fault) => {
                self.upload = None;
                // It waits for the line, if need be: an error that is swallowed makes clients loop.
                receiving.stage = Stage::Refuse(fault);
                self.job = Job::Receiving(asker, receiving);
            }
        }
        Step::Working
    }

    fn is_to_be_matched(&self, piece: &Piece, off: u32) -> bool {
        let ended = self.transfer(piece).is_some_and(|file| off == file.len);
        ended && self.upload.is_some_and(|upload| upload.file.sha.is_some())
    }
}
