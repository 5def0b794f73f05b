//! Erasing the secondary slot.

use super::blank::Blank;
use super::file::Fault;
use crate::flash::{Area, Flash, is_blank};
use crate::layout::Layout;

/// The secondary slot on its way to be blank.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SlotErase {
    /// Bytes at the slot's end that are erased.
    done: u32,
}

impl SlotErase {
    /// Erases one unit, from the slot's end down: the trailer goes first, so that no request outlives its image. True when
    /// the whole slot is erased; at once where nothing was written since it was.
    ///
    /// What reads as blank may do so only for now, after a cut. That matters where an image's header or a trailer is looked
    /// for: these units are always erased. Units between them are erased again before they are written, and are passed over
    /// where they read as blank.
    pub(super) fn step<F: Flash>(&mut self, flash: &mut F, blank: &mut Blank) -> Result<bool, Fault> {
        let shape = flash.geometry(Area::Secondary);
        if blank.is_whole_slot() {
            return Ok(true);
        }
        if self.done >= shape.size {
            blank.slot_erased();
            return Ok(true);
        }
        self.done += shape.erase;
        let at = shape.size - self.done;
        let layout = Layout::of(flash);
        let heads = layout.heads_end(flash, Area::Secondary);
        let is_between = at >= heads && at < layout.image_end(flash, Area::Secondary);
        if is_between && is_blank(flash, Area::Secondary, at, shape.erase) {
            return Ok(false);
        }
        match flash.erase(Area::Secondary, at) {
            Ok(()) => Ok(false),
            Err(_) => Err(Fault::EraseFailed),
        }
    }
}
