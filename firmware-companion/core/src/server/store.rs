//! What is written into the secondary slot, whichever way it came; and files in flash, read back.

use bootlace_image::Sha256;
use bootlace_image::trailer::{Mark, Trailer};
use bootlace_smp::img::ErrorCode as ImageError;

use super::upload::Stage;
use super::{Job, Patches, Refused, Runner, Server, Step, ledger};
use crate::flash::{Area, CHUNK, Flash};
use crate::trailer::{TrailerWrite, Trailers};

/// The first bytes of a file's SHA-256: they tell files apart and show what was damaged on its way. What is trusted is the
/// image's signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(4))]
pub(super) struct Sha(pub(super) [u8; 8]);

/// A file that comes in pieces.
#[derive(Clone, Copy, Debug)]
pub(super) struct Transfer {
    /// Bytes of the whole file.
    pub(super) len: u32,
    /// Bytes that are dealt with.
    pub(super) at: u32,
    pub(super) sha: Option<Sha>,
}

/// An image that is being written into the secondary slot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Upload {
    /// The image's file; what is dealt with is in flash.
    pub(super) file: Transfer,
    /// The old trailer was erased when it began.
    pub(super) cleared: bool,
    /// Programs that failed: each costs the unit that it was in.
    failures: u8,
}

/// What came of a try to write bytes.
pub(super) enum Put {
    /// There is not enough to write.
    Nothing,
    /// The unit is erased.
    Erased,
    /// Bytes are in flash.
    Written,
    /// The unit has to be written again.
    Undone,
}

/// A file is being read back.
#[derive(Clone, Debug, Default)]
pub(super) struct Matching {
    hash: Sha256,
    at: u32,
    /// The base of a patch; otherwise what is in the secondary slot.
    #[cfg(feature = "delta")]
    pub(super) base: bool,
}

/// Bytes read back in one step.
const MATCH_STEP: u32 = 4096;

/// So many failed programs are taken for flash that is worn out.
const MAX_FAILURES: u8 = 4;

impl<R: Runner> Server<'_, R> {
    /// Bytes of the image that are in flash.
    pub(super) fn at(&self) -> u32 {
        self.upload.map_or(0, |upload| upload.file.at)
    }

    /// Begins to write an image, or goes on with it: then with the bytes of it that are in flash.
    #[inline(never)]
    pub(super) fn open<F: Flash>(&mut self, flash: &mut F, len: u32, sha: Option<Sha>) -> Result<Stage, u32> {
        let same = |file: &Transfer| file.len == len && sha.is_some() && file.sha == sha && file.at > 0;
        if let Some(upload) = &self.upload
            && same(&upload.file)
        {
            return Err(upload.file.at);
        }
        let at = recorded(flash, len, sha);
        // A word that can't be written must not send the client round for ever.
        let failed = self
            .upload
            .filter(|upload| upload.file.len == len && upload.file.sha == sha);
        self.upload = Some(Upload {
            file: Transfer { len, at, sha },
            cleared: at == 0,
            failures: failed.map_or(0, |upload| upload.failures),
        });
        if at > 0 {
            return Err(at);
        }
        self.note_change();
        // Always erased: what a torn trailer reads as proves nothing.
        Ok(Stage::Unmark(TrailerWrite::clear(Area::Secondary)))
    }

    /// One erase, or one program of the first of these bytes, which are the image's next.
    #[inline(never)]
    pub(super) fn put<F: Flash>(&mut self, flash: &mut F, data: &[u8], ready: bool) -> Result<Put, Refused> {
        let shape = flash.geometry(Area::Secondary);
        let Some(upload) = &mut self.upload else {
            return Ok(Put::Nothing);
        };
        let file = &mut upload.file;
        let room = (shape.erase - file.at % shape.erase) as usize;
        let len = data.len().min(CHUNK).min(room);
        // Only the file's end may leave a write unit unfilled.
        let is_end = len as u32 == file.len.wrapping_sub(file.at);
        let len = if is_end {
            len
        } else {
            len - len % shape.write as usize
        };
        let Some(data) = data.get(..len).filter(|data| !data.is_empty()) else {
            return Ok(Put::Nothing);
        };
        if !ready && file.at.is_multiple_of(shape.erase) {
            // Also what reads as erased: a cut may have left it so for now.
            flash
                .erase(Area::Secondary, file.at)
                .map_err(|_| ImageError::FlashEraseFailed)?;
            return Ok(Put::Erased);
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
            if flash.program(Area::Secondary, file.at, whole).is_err() {
                // A word that a power cut left half erased: the unit is erased and sent again.
                file.at -= file.at % shape.erase;
                upload.failures += 1;
                return if upload.failures < MAX_FAILURES {
                    Ok(Put::Undone)
                } else {
                    Err(ImageError::FlashWriteFailed.into())
                };
            }
        }
        file.at += len as u32;
        Ok(Put::Written)
    }

    /// Compares the next bytes of a file in flash with the digest that was announced.
    pub(super) fn match_file<F: Flash>(
        &mut self,
        flash: &mut F,
        #[cfg_attr(not(feature = "delta"), expect(unused_variables))] patches: Patches,
    ) -> Step {
        let Job::Matching(matching) = &mut self.job else {
            return Step::Working;
        };
        let (area, file) = match self.upload {
            #[cfg(feature = "delta")]
            _ if matching.base => (Area::Primary, super::patch::base(patches.as_deref())),
            upload => (Area::Secondary, upload.map(|upload| upload.file)),
        };
        // Nothing takes it away meanwhile.
        let Some(file) = file else {
            self.job = Job::None;
            return Step::Working;
        };
        let mut chunk = [0; CHUNK];
        let stop = file.len.min(matching.at.saturating_add(MATCH_STEP));
        while matching.at < stop {
            let len = (stop - matching.at).min(CHUNK as u32);
            let part = chunk.get_mut(..len as usize).unwrap_or_default();
            // What cannot be read is not what was sent.
            let _ = flash.read(area, matching.at, part);
            matching.hash.update(part);
            matching.at += len;
        }
        if matching.at < file.len {
            return Step::Working;
        }
        let mut digest = [0; 32];
        core::mem::take(&mut matching.hash).finish(&mut digest);
        let right = file
            .sha
            .is_some_and(|Sha(sha)| digest.first_chunk() == Some(&sha));
        let stage = match right {
            #[cfg(feature = "delta")]
            _ if matching.base => self.proved(flash, right, patches),
            true => Stage::Answer(self.transfer().map_or(0, |file| file.at), Some(true)),
            false => Stage::Forget(TrailerWrite::clear(Area::Secondary), None),
        };
        self.job = Job::Receiving(stage);
        Step::Working
    }
}

/// How far an interrupted upload of the same file got.
fn recorded<F: Flash>(flash: &mut F, len: u32, sha: Option<Sha>) -> u32 {
    let (Some(entry), Some(Sha(sha))) = (ledger::read(flash), sha) else {
        return 0;
    };
    if entry.len != len || sha.first_chunk() != Some(&entry.sha) {
        return 0;
    }
    // An image that was marked is whole. It is compared, not written once more: a cut would leave the request without it.
    // Anything else that is not erased is what a cut left of the trailer, and says nothing of the image.
    let trailer = Trailers::read(flash).secondary;
    match trailer.magic {
        Mark::Set => len,
        _ if trailer == Trailer::ERASED => entry.at,
        _ => 0,
    }
}
