//! Writing an image into the secondary slot, from its first byte on.

use bootlace_image::trailer::{Mark, Trailer};

use super::blank::Blank;
use super::file::{Fault, FileId};
use super::ledger;
use super::matching::Matching;
use crate::flash::{Area, CHUNK, Flash, MAX_WRITE, holds};
use crate::trailer::Trailers;

/// How an image begins.
pub(super) enum Opened {
    /// Some of it, perhaps all, is there already.
    GoesOn,
    /// Nothing of it is there: what the slot holds is to be replaced.
    Anew,
}

/// What came of a try to write bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Put {
    /// There is nothing to write.
    Nothing,
    /// All of it waits in RAM for what follows.
    Kept,
    /// The unit is erased.
    Erased,
    /// Bytes are in flash.
    Written,
    /// The unit has to be written again.
    Undone,
}

/// So many failed programs of one image are taken for flash that is worn out.
const MAX_FAILURES: u8 = 4;

/// Bytes that wait for the rest of their page, at most. Where that is not a page, chips program words, and only those are waited
/// for.
const WAITING: usize = if cfg!(feature = "whole-pages") {
    CHUNK
} else {
    MAX_WRITE
};

/// The last bytes received, which wait for the rest of their page or write unit.
#[derive(Clone, Debug)]
struct Tail {
    bytes: [u8; WAITING],
    len: usize,
}

impl Tail {
    fn extend(&mut self, data: &[u8]) {
        copy(self.bytes.get_mut(self.len..), Some(data));
        self.len += data.len();
    }

    /// Takes all bytes out, in front of `data`: behind both, as flash reads where it is not written.
    fn take_before(&mut self, data: &[u8]) -> [u8; CHUNK] {
        let mut page = [0xFF; CHUNK];
        copy(Some(&mut page), self.bytes.get(..self.len));
        copy(page.get_mut(self.len..), Some(data));
        self.len = 0;
        page
    }
}

/// Copies as many bytes as there are places and bytes: nothing that could panic.
#[inline(never)]
fn copy(places: Option<&mut [u8]>, bytes: Option<&[u8]>) {
    let places = places.unwrap_or_default().iter_mut();
    places
        .zip(bytes.unwrap_or_default())
        .for_each(|(place, byte)| *place = *byte);
}

/// An image that is being written.
#[derive(Clone, Copy, Debug)]
struct Upload {
    file: FileId,
    /// Bytes in flash.
    written: u32,
    /// The trailer was erased when the image began, since the power came.
    trailer_erased: bool,
    /// Programs that failed: each costs the unit that it was in.
    failures: u8,
}

/// The secondary slot, and the image that is being written into it.
#[derive(Clone, Debug)]
pub(super) struct SlotWriter {
    upload: Option<Upload>,
    /// Of the image that is being written.
    tail: Tail,
    pub(super) blank: Blank,
}

impl SlotWriter {
    pub(super) const fn new() -> Self {
        SlotWriter {
            upload: None,
            tail: Tail {
                bytes: [0; WAITING],
                len: 0,
            },
            blank: Blank::UNKNOWN,
        }
    }

    /// Bytes of the image that have been received: those in flash, and those that wait.
    pub(super) fn received(&self) -> u32 {
        let upload = self.upload.as_ref();
        upload.map_or(0, |upload| upload.written + self.tail.len as u32)
    }

    /// The image, if one has begun.
    pub(super) fn file(&self) -> Option<&FileId> {
        self.upload.as_ref().map(|upload| &upload.file)
    }

    /// The trailer was erased since the power came, and nothing has been written to it but the ledger.
    pub(super) fn is_trailer_erased(&self) -> bool {
        self.upload.as_ref().is_some_and(|upload| upload.trailer_erased)
    }

    pub(super) fn forget(&mut self) {
        self.upload = None;
        self.tail.len = 0;
    }

    /// Begins to write an image, or goes on with it.
    pub(super) fn open<F: Flash>(&mut self, flash: &mut F, file: &FileId) -> Opened {
        let mut failures = 0;
        if let Some(upload) = &self.upload
            && upload.file == *file
        {
            if file.digest.is_some() && upload.written > 0 {
                return Opened::GoesOn;
            }
            // A word that can't be written must not send the client round for ever.
            failures = upload.failures;
        }
        let written = recorded(flash, file);
        self.tail.len = 0;
        self.upload = Some(Upload {
            file: *file,
            written,
            trailer_erased: written == 0,
            failures,
        });
        if written > 0 { Opened::GoesOn } else { Opened::Anew }
    }

    /// Begins the ledger; the trailer's unit was erased just before. Without a ledger an interrupted image begins anew:
    /// no reason to refuse this one.
    pub(super) fn begin_ledger<F: Flash>(&mut self, flash: &mut F) {
        if let Some(upload) = &self.upload
            && let Some(digest) = upload.file.digest
        {
            self.blank.trailer_written();
            let _ = ledger::begin(flash, upload.file.len, digest);
        }
    }

    /// Notes in the ledger what is in flash, where a mark is due. A missing mark costs sending some data again, no more.
    pub(super) fn mark_ledger<F: Flash>(&self, flash: &mut F) {
        if let Some(upload) = &self.upload
            && upload.file.digest.is_some()
        {
            let _ = ledger::mark(flash, upload.written);
        }
    }

    /// Does one erase, or one program of the first of these bytes, which are the image's next; `erased`: the unit that comes
    /// next was erased just now.
    pub(super) fn put<F: Flash>(
        &mut self,
        flash: &mut F,
        matching: &mut Matching,
        data: &[u8],
        erased: bool,
    ) -> Result<Put, Fault> {
        let Some(upload) = &mut self.upload else {
            return Ok(Put::Nothing);
        };
        let left = upload.file.len.saturating_sub(upload.written);
        if data.is_empty() || left == 0 {
            return Ok(Put::Nothing);
        }
        let shape = flash.geometry(Area::Secondary);
        let room = shape.erase - upload.written % shape.erase;
        // Up to the end of a page: chips program a page in one go, and what lies in two of them in two.
        let in_page = CHUNK - upload.written as usize % CHUNK;
        let end = in_page.min(room as usize).min(left as usize);
        let kept = self.tail.len;
        let there = (kept + data.len()).min(end);
        let len = if there == end {
            end
        } else if there <= WAITING {
            0
        } else {
            there - there % shape.write as usize
        };
        let Some(data) = data.get(..len.saturating_sub(kept)).filter(|_| len > 0) else {
            self.tail.extend(data);
            return Ok(Put::Kept);
        };
        if !erased && upload.written.is_multiple_of(shape.erase) && !self.blank.is_from(upload.written) {
            // What reads as blank is erased too: a cut may have left words that read as erased for now.
            flash
                .erase(Area::Secondary, upload.written)
                .map_err(|_| Fault::EraseFailed)?;
            return Ok(Put::Erased);
        }
        let padded = len.next_multiple_of(shape.write as usize);
        let page;
        let whole = if cfg!(feature = "whole-pages") && data.len() == padded {
            data
        } else {
            page = self.tail.take_before(data);
            page.get(..padded).unwrap_or_default()
        };
        self.blank.written_to(upload.written + room);
        let at = upload.written;
        // Padding behind the file's end is none of the file.
        let hash = if whole.len() == len {
            matching.of_written(&upload.file, at, len as u32)
        } else {
            None
        };
        let is_hashed = hash.is_some();
        let is_blank = whole.iter().all(|&byte| byte == 0xFF);
        let programmed = match hash {
            Some(hash) if is_blank => {
                hash.update(whole);
                Ok(())
            }
            Some(hash) => flash.program_and_hash(Area::Secondary, at, whole, hash),
            None if is_blank => Ok(()),
            None => flash.program(Area::Secondary, at, whole),
        };
        // What was not hashed is read at the end.
        if programmed.is_err() || is_hashed && !holds(flash, Area::Secondary, at, whole) {
            // A word that a power cut left half erased: the unit is erased and sent again.
            upload.written -= upload.written % shape.erase;
            upload.failures += 1;
            return if upload.failures < MAX_FAILURES {
                Ok(Put::Undone)
            } else {
                Err(Fault::WriteFailed)
            };
        }
        upload.written += len as u32;
        Ok(Put::Written)
    }
}

/// Bytes of an interrupted upload of the same file that are in flash.
fn recorded<F: Flash>(flash: &mut F, file: &FileId) -> u32 {
    let (Some(entry), Some(digest)) = (ledger::read(flash), file.digest) else {
        return 0;
    };
    if !entry.is_of(file.len, digest) {
        return 0;
    }
    // An image that was marked is whole. It is compared, not written once more: a cut would leave the request without it.
    // Anything else that is not erased is what a cut left of the trailer, and says nothing of the image.
    let trailer = Trailers::read(flash).secondary;
    match trailer.magic {
        Mark::Set => file.len,
        _ if trailer == Trailer::ERASED => entry.at,
        _ => 0,
    }
}
