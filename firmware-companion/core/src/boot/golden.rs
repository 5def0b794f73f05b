//! The golden image takes the place of one that can't run.

use bootlace_smp::bootlace::{BootState, JournalOutcome, RollbackReason};

use super::verdict::{find_twice, version};
use super::{After, BootStage, Decider, Decision};
use crate::flash::{Area, Flash};
use crate::install::copy::{Copy, Route};
use crate::layout::Layout;
use crate::slots::Found;
use crate::state::Record;
use crate::trailer::TrailerWrite;

/// Starts of an image on trial that stand for this: the golden image takes its place, and is not complete.
pub(super) const RESTORING: u8 = u8::MAX;

impl Decider<'_> {
    /// The golden image goes into the primary slot as one that needs no trial. A power cut in the middle begins this again;
    /// nothing that an earlier start wrote is relied on, and the journal tells of it once.
    pub(super) fn begin_restore<F: Flash>(
        &mut self,
        flash: &mut F,
        golden: &Found,
        reason: RollbackReason,
    ) -> BootStage {
        if self.log.state().trial != Some(RESTORING) {
            let lost = find_twice(flash, Area::Primary);
            self.log
                .push(self.update(lost.as_ref(), Some(golden), JournalOutcome::Golden, reason));
            self.log.push(Record::Rollback(reason, version(lost.as_ref())));
        }
        // Also where it goes on: the log moves, so that a confirmation that seemed absent can't come back.
        self.log.push(Record::Trial(RESTORING));
        self.trial = false;
        BootStage::Restore(0)
    }

    pub(super) fn next_unit<F: Flash>(&mut self, flash: &mut F, done: u32) {
        let unit = Layout::of(flash).unit(flash);
        let Some(golden) = find_twice(flash, Area::Golden) else {
            // It was there a moment ago: nothing is confirmed for that.
            self.stage = BootStage::Last(Decision::Stay(BootState::GoldenBad));
            return;
        };
        self.stage = if done < u32::from(golden.units(flash)) {
            let at = done * unit;
            let route = Route {
                from: (Area::Golden, at),
                to: (Area::Primary, at),
            };
            BootStage::Restoring(Copy::new(route, unit, true), done)
        } else {
            BootStage::Trailer(TrailerWrite::clear(Area::Primary), After::Restored)
        };
    }
}
