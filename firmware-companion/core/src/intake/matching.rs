//! Comparing what is in flash with a digest that was announced.

use bootlace_image::Sha256;

use super::file::{FileDigest, FileId};
use crate::flash::{Area, CHUNK, Flash};

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
        core::mem::take(&mut self.hash).finish(&mut digest);
        let wanted = self.file.digest;
        Some(wanted.is_some_and(|FileDigest(wanted)| digest.first_chunk() == Some(&wanted)))
    }
}
