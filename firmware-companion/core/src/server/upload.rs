//! Pieces of an image on their way into the secondary slot.
//!
//! The board's offset is the authority: a piece that does not start there is answered with the offset that is due,
//! and an end that does not fill a write unit is left to be sent again.

use bootlace_image::{Header as ImageHeader, Version};
use bootlace_smp::img::{ErrorCode as ImageError, Response as Answer, Upload as Message};
use bootlace_smp::{ErrorCode, Response};
use sha2::{Digest as _, Sha256};

use super::{Asker, Job, Refused, Role, Server, Step};
use crate::flash::{Area, CHUNK, Flash, Geometry, is_blank};
use crate::link::{Link, Memory};
use crate::slots::find;
use crate::state::Record;
use crate::swap::{max_image_size, unit_size};
use crate::trailer::{TrailerWrite, Trailers};

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
    /// An image that a swap left one unit higher is made unrecognisable, where no record can say that it is gone.
    Unshift,
    /// `done` bytes of the piece are in flash; the unit that comes next was erased just now where `ready`.
    Write { done: usize, ready: bool },
    /// To be answered with this offset, and whether the file's digest is right.
    Answer(u32, Option<bool>),
}

/// The uploaded file is being read back.
#[derive(Clone, Debug)]
pub(super) struct Matching {
    hash: Sha256,
    at: u32,
}

/// Bytes read back in one step.
const MATCH_STEP: u32 = 4096;

/// At most so many bytes are written between two records of how far an upload got.
const RECORD_EVERY: u32 = 4096;

impl Server<'_> {
    pub(super) fn forget_upload(&mut self) {
        self.upload = None;
        if let Some(log) = self.log()
            && log.state().upload.is_some()
        {
            log.push(Record::Upload { len: 0, sha: [0; 6] });
        }
    }

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

    fn begin<F: Flash>(&mut self, flash: &mut F, piece: Piece) -> Result<Stage, Refused> {
        let len = piece.len.ok_or(ImageError::InvalidLength)?;
        if self.is_on_trial(flash) {
            // The secondary slot holds what the board goes back to.
            return Err(ErrorCode::BadState.into());
        }
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
        let resumed = self.recorded(flash, len, piece.sha);
        if let Some(upload) = resumed {
            self.upload = Some(upload);
            return Ok(Stage::Answer(upload.at, None));
        }
        self.upload = Some(Upload {
            len,
            at: 0,
            sha: piece.sha,
            suspect: 0,
        });
        if let Some(log) = self.log() {
            let sha = piece
                .sha
                .and_then(|sha| sha.first_chunk().copied())
                .unwrap_or_default();
            log.push(Record::Upload { len, sha });
        }
        let blank = Trailers::read(flash).secondary == bootlace_image::trailer::Trailer::ERASED;
        let clear = TrailerWrite::clear(Area::Secondary);
        let unshift = self.is_application() && self.state().shifted;
        Ok(match (blank, unshift) {
            (false, _) => Stage::Unmark(clear),
            (true, true) => Stage::Unshift,
            (true, false) => Stage::Write {
                done: 0,
                ready: false,
            },
        })
    }

    /// An upload that was complete is gone once a swap moved the slot's image.
    fn recall<F: Flash>(&mut self, flash: &mut F) {
        if self.upload.is_some_and(|upload| upload.at == upload.len) {
            let state = *self.state();
            let whole = find(flash, Area::Secondary, &state).is_some_and(|found| found.base == 0);
            if !whole {
                self.upload = None;
            }
        }
    }

    /// An upload of the same file that a power failure interrupted.
    fn recorded<F: Flash>(&self, flash: &F, len: u32, sha: Option<[u8; 32]>) -> Option<Upload> {
        // An application's uploads leave no records, so older ones may speak of what is no longer there.
        let recorded = self.state().upload.filter(|_| !self.is_application())?;
        let sha = sha?;
        let same = recorded.len == len && sha.first_chunk() == Some(&recorded.sha);
        let suspect = recorded
            .at
            .saturating_add(record_distance(&flash.geometry(Area::Secondary)));
        (same && recorded.at > 0).then_some(Upload {
            len,
            at: recorded.at,
            sha: Some(sha),
            suspect,
        })
    }

    fn is_newer<F: Flash>(&self, flash: &mut F, version: Version) -> bool {
        let state = *self.state();
        find(flash, Area::Primary, &state).is_none_or(|found| version > found.image.header().version)
    }

    pub(super) fn receive<F: Flash, M: Memory>(
        &mut self,
        link: &mut Link<M>,
        flash: &mut F,
        asker: Asker,
        mut receiving: Receiving,
    ) -> Step {
        let next = match receiving.stage {
            Stage::Unmark(mut write) => match write.step(flash) {
                Ok(true) if self.is_application() && self.state().shifted => Ok(Stage::Unshift),
                Ok(true) => Ok(Stage::Write {
                    done: 0,
                    ready: false,
                }),
                Ok(false) => Ok(Stage::Unmark(write)),
                Err(_) => Err(ImageError::FlashEraseFailed.into()),
            },
            Stage::Unshift => {
                if let Role::Application { state } = &mut self.role {
                    state.shifted = false;
                }
                let erased = flash.erase(Area::Secondary, unit_size(flash));
                erased
                    .map(|()| Stage::Write {
                        done: 0,
                        ready: false,
                    })
                    .map_err(|_| ImageError::FlashEraseFailed.into())
            }
            Stage::Write { done, ready } => self.write(link, flash, receiving.piece, done, ready),
            Stage::Answer(..) if link.is_sending() => {
                self.job = Job::Receiving(asker, receiving);
                return Step::Idle;
            }
            Stage::Answer(off, matched) => {
                link.release();
                self.answer(link, asker, Ok(Response::Img(Answer::Upload { off, matched })));
                return Step::Working;
            }
        };
        match next {
            Ok(Stage::Answer(off, None)) if self.is_to_be_matched(off) => {
                link.release();
                self.job = Job::Matching(
                    asker,
                    Matching {
                        hash: Sha256::new(),
                        at: 0,
                    },
                );
            }
            Ok(stage) => {
                receiving.stage = stage;
                self.job = Job::Receiving(asker, receiving);
            }
            Err(fault) => {
                self.upload = None;
                if link.is_sending() {
                    // Begin again from the packet, which will be answered with offset 0.
                    return Step::Idle;
                }
                link.release();
                self.answer(link, asker, Err(fault));
            }
        }
        Step::Working
    }

    fn is_to_be_matched(&self, off: u32) -> bool {
        self.upload
            .is_some_and(|upload| upload.sha.is_some() && off == upload.len)
    }

    /// One erase or one program of the piece.
    fn write<F: Flash, M: Memory>(
        &mut self,
        link: &Link<M>,
        flash: &mut F,
        piece: Piece,
        done: usize,
        ready: bool,
    ) -> Result<Stage, Refused> {
        let shape = flash.geometry(Area::Secondary);
        let every = record_distance(&shape);
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
            start.iter_mut().zip(data).for_each(|(place, byte)| *place = *byte);
            let whole = padded.get(..end).unwrap_or_default();
            flash
                .program(Area::Secondary, upload.at, whole)
                .map_err(|_| ImageError::FlashWriteFailed)?;
        }
        upload.at += len as u32;
        let at = upload.at;
        if at.is_multiple_of(every)
            && let Some(log) = self.log()
        {
            log.push(Record::UploadAt(at));
        }
        Ok(Stage::Write {
            done: done + len,
            ready: false,
        })
    }

    /// Compares the next bytes of the uploaded file with the digest that was announced.
    pub(super) fn match_upload<F: Flash, M: Memory>(
        &mut self,
        link: &mut Link<M>,
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
        let matched = upload.sha == Some(digest);
        if !matched {
            self.forget_upload();
        }
        self.answer(
            link,
            asker,
            Ok(Response::Img(Answer::Upload {
                off: upload.len,
                matched: Some(matched),
            })),
        );
        Step::Working
    }
}

/// Bytes between two records of how far an upload got: whole erase units.
fn record_distance(shape: &Geometry) -> u32 {
    shape.erase.max(RECORD_EVERY / shape.erase * shape.erase)
}
