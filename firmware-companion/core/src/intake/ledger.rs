//! How far an upload got, kept with the upload: in the secondary slot's trailer unit, before MCUboot's fields, which
//! stay erased until the image is marked.
//!
//! Bootloader and application keep it alike, so that each goes on with what the other began, also after a power cut. A
//! mark is written after the data that it speaks of.

use super::file::FileDigest;
use crate::flash::{Area, Flash, FlashError, MAX_WRITE};
use crate::layout::Layout;
use crate::state::record::{LEN, Record};

/// Bytes at the unit's end that are MCUboot's: its fields take at most 192 of them, with an alignment of 32.
const TRAILER: u32 = 256;
/// Bytes of data that a mark stands for, at least.
const DISTANCE: u32 = 4096;

/// What the ledger says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Length of the file in bytes.
    pub(super) len: u32,
    /// The first bytes of its SHA-256.
    pub(super) sha: [u8; 6],
    /// Bytes that are in flash.
    pub(super) at: u32,
}

/// Where the ledger lies, and how far its marks are apart.
struct Shape {
    start: u32,
    /// Bytes of the first record.
    head: u32,
    write: u32,
    marks: u32,
    /// Whole erase units.
    distance: u32,
}

fn shape<F: Flash>(flash: &F) -> Shape {
    let (slot, layout) = (flash.geometry(Area::Secondary), Layout::of(flash));
    let head = slot.write.max(LEN as u32);
    let marks = layout.unit(flash).saturating_sub(TRAILER + head) / slot.write;
    let mut distance = slot.erase.max(DISTANCE / slot.erase * slot.erase);
    // A slot of many small units in a small one: fewer marks.
    while marks > 0 && slot.size / distance > marks {
        distance *= 2;
    }
    Shape {
        start: layout.image_end(flash, Area::Secondary),
        head,
        write: slot.write,
        marks,
        distance,
    }
}

impl Entry {
    /// Whether the ledger is about this file.
    pub(super) fn is_of(&self, len: u32, digest: FileDigest) -> bool {
        self.len == len && self.sha == short(digest)
    }
}

/// As much of a digest as a record has room for.
fn short(FileDigest([a, b, c, d, e, f, ..]): FileDigest) -> [u8; 6] {
    [a, b, c, d, e, f]
}

/// Notes that an upload begins. The unit was erased just before.
///
/// # Errors
/// The flash's own.
pub(super) fn begin<F: Flash>(flash: &mut F, len: u32, digest: FileDigest) -> Result<(), FlashError> {
    let shape = shape(flash);
    let sha = short(digest);
    let mut padded = [0xFF; MAX_WRITE];
    for (to, from) in padded.iter_mut().zip((Record::Upload { len, sha }).encode()) {
        *to = from;
    }
    let bytes = padded.get(..shape.head as usize).ok_or(FlashError::Misaligned)?;
    flash.program(Area::Secondary, shape.start, bytes)
}

/// Notes that all data before `at` is in flash, where a mark is due there.
///
/// # Errors
/// The flash's own; it costs no more than sending that data again.
pub(super) fn mark<F: Flash>(flash: &mut F, at: u32) -> Result<(), FlashError> {
    let shape = shape(flash);
    let Some(number) = (at / shape.distance).checked_sub(1) else {
        return Ok(());
    };
    if !at.is_multiple_of(shape.distance) || number >= shape.marks {
        return Ok(());
    }
    let zeros = [0; MAX_WRITE];
    let bytes = zeros.get(..shape.write as usize).ok_or(FlashError::Misaligned)?;
    flash.program(
        Area::Secondary,
        shape.start + shape.head + number * shape.write,
        bytes,
    )
}

/// What upload the slot holds a part of, if its ledger says so.
pub(super) fn read<F: Flash>(flash: &mut F) -> Option<Entry> {
    let shape = shape(flash);
    let mut head = [0; LEN];
    flash.read(Area::Secondary, shape.start, &mut head).ok()?;
    let Some(Record::Upload { len, sha }) = Record::decode(&head) else {
        return None;
    };
    let mut count = 0;
    // No mark stands for more than there is.
    while count < shape.marks.min(len / shape.distance) {
        let mut mark = [0; MAX_WRITE];
        let at = shape.start + shape.head + count * shape.write;
        let place = mark.get_mut(..shape.write as usize)?;
        // What is left of a torn mark, or of a torn erase, is none: that costs sending some data again.
        if flash.read(Area::Secondary, at, place).is_err() || mark != [0; MAX_WRITE] {
            break;
        }
        count += 1;
    }
    Some(Entry {
        len,
        sha,
        at: count * shape.distance,
    })
}
