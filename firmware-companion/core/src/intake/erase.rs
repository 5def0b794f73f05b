//! Erasing the secondary slot.

use super::file::Fault;
use crate::flash::{Area, Flash};

/// The secondary slot on its way to be blank.
#[derive(Clone, Copy, Debug, Default)]
pub struct SlotErase {
    /// Bytes at the slot's end that are erased.
    done: u32,
}

impl SlotErase {
    /// Erases one unit, from the slot's end down: the trailer goes first, so that no request outlives its image. True when
    /// the whole slot is erased.
    ///
    /// # Errors
    /// [`Fault::EraseFailed`].
    pub fn step<F: Flash>(&mut self, flash: &mut F) -> Result<bool, Fault> {
        let shape = flash.geometry(Area::Secondary);
        if self.done >= shape.size {
            return Ok(true);
        }
        // Blank flash is erased too: a cut may have left words that read as erased for now.
        self.done += shape.erase;
        match flash.erase(Area::Secondary, shape.size - self.done) {
            Ok(()) => Ok(false),
            Err(_) => Err(Fault::EraseFailed),
        }
    }
}
