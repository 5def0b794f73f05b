//! Pieces of an image on their way into the secondary slot.
//!
//! The board's offset is the authority: a piece that does not start there is answered with the offset that is due,
//! and an end that does not fill a write unit is left to be sent again.

use bootlace_image::{Header as ImageHeader, Version};
use bootlace_smp::Response;
use bootlace_smp::img::{ErrorCode as ImageError, Response as Answer, Upload as Message};
use sha2::{Digest as _, Sha256};

use super::{Asker, Job, Refused, Server, Step, ledger};
use crate::flash::{Area, CHUNK, Flash, is_blank};
use crate::link::{Link, Memory};
use crate::slots::find;
use crate::swap::max_image_size;
use crate::trailer::TrailerWrite;

/// An upload that has begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct Upload {
    /// Bytes of the whole file.
    pub(super) len: u32,
    /// Bytes that are in flash.
    pub(super) at: u32,
    sha: Option<[u8; 32]>,
    /// Below this offset, units may have been cut in mid-write by a power failure: blank proves nothing.
    suspect: u32,
    /// Programs that failed: each costs the unit that it was in.
    failures: u8,
}

/// What a packet says about a piece; the data stays in the packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    image: u32,
    off: u32,
    len: Option<u32>,
    sha: Option<[u8; 32]>,
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
            image: message.image.unwrap_or(0),
            off: message.off,
            len: message.len,
            sha: message.sha.and_then(|sha| sha.try_into().ok()),
            upgrade: message.upgrade,
            data: (start, message.data.len()),
            header: message.data.first_chunk().copied(),
        }
    }
}

/// A piece that is being written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receiving {
    piece: Piece,
    stage: Stage,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// The slot's old trailer goes first: no request may outlive the image that it was made for.
    Unmark(TrailerWrite),
    /// The ledger of the upload begins.
    Note,
    /// `done` bytes of the piece are in flash; the unit that comes next was erased just now where `ready`.
    Write { done: usize, ready: bool },
    /// `done` bytes of the piece are in flash, and so is the unit that they end: the ledger may be due a mark.
    Mark { done: usize },
    /// What was uploaded is not what was announced: its ledger is erased.
    Forget(TrailerWrite),
    /// To be refused.
    Refuse(Refused),
    /// To be answered with this offset, and whether the file's digest is right.
    Answer(u32, Option<bool>),
}

/// The uploaded file is being read back.
#[derive(Clone, Debug)]
pub(super) struct Matching {
    piece: Piece,
    hash: Sha256,
    at: u32,
}

/// Bytes read back in one step.
const MATCH_STEP: u32 = 4096;

/// So many failed programs are taken for flash that is worn out.
const MAX_FAILURES: u8 = 4;

impl Server<'_> {
    #[inline(never)]
    pub(super) fn begin_piece<F: Flash, M: Memory>(
        &mut self,
        link: &mut Link<M>,
        flash: &mut F,
        asker: Asker,
        piece: Piece,
    ) -> Step {
        match self.accept(flash, piece) {
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

    /// Whether the piece is welcome, and what to do with it.
    #[inline(never)]
    fn accept<F: Flash>(&mut self, flash: &mut F, piece: Piece) -> Result<Stage, Refused> {
        // Some clients count images from 1.
        if piece.image > 1 {
            return Err(ImageError::InvalidSlot.into());
        }
        if piece.off == 0 {
            return self.begin(flash, piece);
        }
        let Some(upload) = &self.upload else {
            return Ok(Stage::Answer(0, None));
        };
        if piece.off != upload.at {
            return Ok(Stage::Answer(upload.at, None));
        }
        if piece.data.1 as u64 + u64::from(piece.off) > u64::from(upload.len) {
            return Err(ImageError::ImageDataOverrun.into());
        }
        Ok(Stage::Write {
            done: 0,
            ready: false,
        })
    }

    #[inline(never)]
    fn begin<F: Flash>(&mut self, flash: &mut F, piece: Piece) -> Result<Stage, Refused> {
        let len = piece.len.ok_or(ImageError::InvalidLength)?;
        self.may_change(flash)?;
        if len > max_image_size(flash) {
            return Err(ImageError::ImageTooLarge.into());
        }
        let header = piece.header.ok_or(ImageError::InvalidImageHeader)?;
        let header = ImageHeader::parse(&header).map_err(|_| ImageError::InvalidImageHeaderMagic)?;
        if piece.data.1 as u64 > u64::from(len) {
            return Err(ImageError::ImageDataOverrun.into());
        }
        if piece.upgrade && !self.is_newer(flash, header.version) {
            return Err(ImageError::CurrentVersionIsNewer.into());
        }
        self.recall(flash);
        if let Some(upload) = &self.upload
            && upload.len == len
            && piece.sha.is_some()
            && upload.sha == piece.sha
            && upload.at > 0
        {
            let complete = (upload.at == len).then_some(true);
            return Ok(Stage::Answer(upload.at, complete));
        }
        if let Some(upload) = recorded(flash, len, piece.sha) {
            self.upload = Some(upload);
            return Ok(Stage::Answer(upload.at, None));
        }
        self.upload = Some(Upload {
            len,
            at: 0,
            sha: piece.sha,
            suspect: 0,
            failures: 0,
        });
        self.note_change();
        // Always erased: what a torn trailer reads as proves nothing.
        Ok(Stage::Unmark(TrailerWrite::clear(Area::Secondary)))
    }

    /// An upload that was complete is gone once a swap moved the slot's image.
    fn recall<F: Flash>(&mut self, flash: &mut F) {
        if self.upload.is_some_and(|upload| upload.at == upload.len) {
            let whole = find(flash, Area::Secondary).is_some_and(|found| found.base == 0);
            if !whole {
                self.upload = None;
            }
        }
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
    ) -> Step {
        let next = match receiving.stage {
            Stage::Unmark(mut write) => match write.step(flash) {
                Ok(true) => Ok(Stage::Note),
                Ok(false) => Ok(Stage::Unmark(write)),
                Err(_) => Err(ImageError::FlashEraseFailed.into()),
            },
            Stage::Note => {
                if let Some(Upload {
                    len, sha: Some(sha), ..
                }) = self.upload
                {
                    // Without it, an interrupted upload begins anew: no reason to refuse this one.
                    let _ = ledger::begin(flash, len, sha.first_chunk().copied().unwrap_or_default());
                }
                Ok(Stage::Write {
                    done: 0,
                    ready: false,
                })
            }
            Stage::Forget(mut write) => {
                let off = self.upload.map_or(0, |upload| upload.len);
                // Flash that cannot be erased is told about at the next upload.
                if write.step(flash).unwrap_or(true) {
                    self.upload = None;
                    Ok(Stage::Answer(off, Some(false)))
                } else {
                    Ok(Stage::Forget(write))
                }
            }
            Stage::Write { done, ready } => self.write(link, flash, receiving.piece, done, ready),
            Stage::Mark { done } => {
                if let Some(upload) = self.upload {
                    // A missing mark costs sending some data again, no more.
                    let _ = ledger::mark(flash, upload.at);
                }
                Ok(Stage::Write { done, ready: false })
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
                self.answer(link, asker, Ok(Response::Img(Answer::Upload { off, matched })));
                return Step::Working;
            }
        };
        match next {
            Ok(Stage::Answer(off, None)) if self.is_to_be_matched(off) => {
                let matching = Matching {
                    piece: receiving.piece,
                    hash: Sha256::new(),
                    at: 0,
                };
                self.job = Job::Matching(asker, matching);
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

    fn is_to_be_matched(&self, off: u32) -> bool {
        self.upload
            .is_some_and(|upload| upload.sha.is_some() && off == upload.len)
    }

    /// One erase or one program of the piece.
    #[inline(never)]
    fn write<F: Flash, M: Memory>(
        &mut self,
        link: &Link<M>,
        flash: &mut F,
        piece: Piece,
        done: usize,
        ready: bool,
    ) -> Result<Stage, Refused> {
        let shape = flash.geometry(Area::Secondary);
        let Some(upload) = &mut self.upload else {
            return Ok(Stage::Answer(0, None));
        };
        let rest = link
            .packet()
            .and_then(|(packet, _)| packet.get(piece.data.0..)?.get(..piece.data.1)?.get(done..))
            .unwrap_or_default();
        let room = (shape.erase - upload.at % shape.erase) as usize;
        let len = rest.len().min(CHUNK).min(room);
        // Only the file's end may leave a write unit unfilled.
        let is_end = u64::from(upload.at) + len as u64 == u64::from(upload.len);
        let len = if is_end {
            len
        } else {
            len - len % shape.write as usize
        };
        let Some(data) = rest.get(..len).filter(|data| !data.is_empty()) else {
            return Ok(Stage::Answer(upload.at, None));
        };
        if !ready && upload.at.is_multiple_of(shape.erase) {
            let suspect = upload.at < upload.suspect;
            if suspect || !is_blank(flash, Area::Secondary, upload.at, shape.erase) {
                flash
                    .erase(Area::Secondary, upload.at)
                    .map_err(|_| ImageError::FlashEraseFailed)?;
                return Ok(Stage::Write { done, ready: true });
            }
        }
        let mut padded = [0xFF; CHUNK];
        let end = len.next_multiple_of(shape.write as usize);
        if let (Some(start), false) = (padded.get_mut(..len), data.iter().all(|&byte| byte == 0xFF)) {
            // Of equal length, which the compiler can't know: this way it has no panic to link.
            start
                .iter_mut()
                .zip(data)
                .for_each(|(place, byte)| *place = *byte);
            let whole = padded.get(..end).unwrap_or_default();
            if flash.program(Area::Secondary, upload.at, whole).is_err() {
                // A word that a power cut left half erased: the unit is erased and sent again.
                upload.at -= upload.at % shape.erase;
                upload.suspect = upload.suspect.max(upload.at + 1);
                upload.failures += 1;
                return if upload.failures < MAX_FAILURES {
                    Ok(Stage::Answer(upload.at, None))
                } else {
                    Err(ImageError::FlashWriteFailed.into())
                };
            }
        }
        upload.at += len as u32;
        if upload.sha.is_some() && upload.at.is_multiple_of(shape.erase) {
            return Ok(Stage::Mark { done: done + len });
        }
        Ok(Stage::Write {
            done: done + len,
            ready: false,
        })
    }

    /// Compares the next bytes of the uploaded file with the digest that was announced.
    #[inline(never)]
    pub(super) fn match_upload<F: Flash>(
        &mut self,
        flash: &mut F,
        asker: Asker,
        mut matching: Matching,
    ) -> Step {
        let Some(upload) = self.upload else {
            return Step::Working;
        };
        let mut chunk = [0; CHUNK];
        let stop = upload.len.min(matching.at.saturating_add(MATCH_STEP));
        while matching.at < stop {
            let len = (stop - matching.at).min(CHUNK as u32);
            let part = chunk.get_mut(..len as usize).unwrap_or_default();
            // What cannot be read is not what was sent.
            let _ = flash.read(Area::Secondary, matching.at, part);
            matching.hash.update(part);
            matching.at += len;
        }
        if matching.at < upload.len {
            self.job = Job::Matching(asker, matching);
            return Step::Working;
        }
        let digest: [u8; 32] = matching.hash.finalize().into();
        let stage = if upload.sha == Some(digest) {
            Stage::Answer(upload.len, Some(true))
        } else {
            Stage::Forget(TrailerWrite::clear(Area::Secondary))
        };
        self.job = Job::Receiving(
            asker,
            Receiving {
                piece: matching.piece,
                stage,
            },
        );
        Step::Working
    }
}

/// An upload of the same file that was interrupted.
fn recorded<F: Flash>(flash: &mut F, len: u32, sha: Option<[u8; 32]>) -> Option<Upload> {
    let entry = ledger::read(flash)?;
    let same = entry.len == len && sha?.first_chunk() == Some(&entry.sha);
    let suspect = entry.at.saturating_add(ledger::distance(flash));
    (same && entry.at > 0).then_some(Upload {
        len,
        at: entry.at,
        sha,
        suspect,
        failures: 0,
    })
}
