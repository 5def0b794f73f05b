//! Comparing what is in flash with a digest that was announced. What is written is hashed then, and read back to see that it is
//! there; what was written before the power came is read and hashed at the end.

use bootlace_image::Sha256;

use super::file::{FileDigest, FileId};
use crate::flash::{Area, CHUNK, Flash};

/// Elsewhere the processor has no time to spare while it writes.
const HASHES_WHILE_WRITING: bool = cfg!(feature = "whole-pages");
/// Bytes read back in one step.
const BYTES_PER_STEP: u32 = 4096;

/// A comparison under way.
#[derive(Clone, Debug)]
pub(super) struct Matching {
    area: Area,
    file: FileId,
    hash: Sha256,
    at: u32,
}

impl Matching {
    /// Of nothing.
    pub(super) fn new() -> Self {
        Matching {
            area: Area::Secondary,
            file: FileId::default(),
            hash: Sha256::new(),
            at: 0,
        }
    }

    /// Begins to compare the first bytes of an area with a file.
    pub(super) fn begin(&mut self, area: Area, file: FileId) {
        (self.area, self.file, self.at) = (area, file, 0);
        if HASHES_WHILE_WRITING {
            self.hash.restart();
        }
    }

    /// A file begins to be written to the secondary slot.
    pub(super) fn begin_writing(&mut self, file: FileId) {
        if HASHES_WHILE_WRITING {
            self.begin(Area::Secondary, file);
        }
    }

    /// Begins to compare what was written of a file, or goes on with what was hashed meanwhile.
    pub(super) fn begin_written(&mut self, file: FileId) {
        if !HASHES_WHILE_WRITING || self.area != Area::Secondary || self.file != file {
            self.begin(Area::Secondary, file);
        }
    }

    /// The digest of what was written of a file, to take in its next `len` bytes from `at` on, which are about to be written; `None`
    /// where it is not of all bytes before, and no more: what was hashed is of no use then.
    pub(super) fn of_written(&mut self, file: &FileId, at: u32, len: u32) -> Option<&mut Sha256> {
        if !HASHES_WHILE_WRITING {
            return None;
        }
        if self.area != Area::Secondary || self.file != *file || self.at != at {
            self.file = FileId::default();
            return None;
        }
        self.at += len;
        Some(&mut self.hash)
    }

    /// Reads the next bytes; after the last, whether the digest is the one wanted.
    pub(super) fn step<F: Flash>(&mut self, flash: &mut F) -> Option<bool> {
        let mut chunk = [0; CHUNK];
        let stop = self.file.len.min(self.at.saturating_add(BYTES_PER_STEP));
        while self.at < stop {
            let len = (stop - self.at).min(CHUNK as u32);
            let part = chunk.get_mut(..len as usize).unwrap_or_default();
            // What cannot be read is not what was sent: the digest will differ.
            let _ = flash.read(self.area, self.at, part);
            self.hash.update(part);
            self.at += len;
        }
        if self.at < self.file.len {
            return None;
        }
        let mut digest = [0; 32];
        self.hash.finish(&mut digest);
        let wanted = self.file.digest;
        if HASHES_WHILE_WRITING {
            self.file = FileId::default();
        }
        Some(wanted.is_some_and(|FileDigest(wanted)| digest.first_chunk() == Some(&wanted)))
    }
}
