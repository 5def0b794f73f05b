//! What the trailers and the records ask for: MCUboot's decision table, read from both slots.

use bootlace_image::trailer::{Mark, SwapType, Trailer};
use bootlace_smp::bootlace::{BootState, RollbackReason};

use super::verdict::{counter, find_twice};
use super::{BootStage, Decider, Decision};
use crate::flash::{Area, Flash};
use crate::state::{MOST_STARTS, Record, SwapKind};
use crate::trailer::Trailers;

impl Decider<'_> {
    /// MCUboot's decision table, read from both trailers.
    pub(super) fn decide<F: Flash>(&mut self, flash: &mut F) {
        let trailers = Trailers::read(flash);
        self.trial = false;
        match trailers.decision() {
            SwapType::Test => self.decide_leaving(flash, SwapKind::Test, &trailers.primary),
            SwapType::Permanent => self.decide_leaving(flash, SwapKind::Permanent, &trailers.primary),
            decision => self.stage = self.decide_running(decision, &trailers.primary),
        }
    }

    /// A new image was asked for. What ran may have been confirmed since its last start, or the power went before the
    /// counter followed it: the records hear of that first, because the new image is checked against them.
    fn decide_leaving<F: Flash>(&mut self, flash: &mut F, kind: SwapKind, primary: &Trailer) {
        let state = self.log.state();
        let runs = find_twice(flash, Area::Primary);
        // Read again: this decides about the counter.
        let confirmed =
            state.trial.is_none() || is_confirmed(primary) || is_confirmed(&Trailers::read(flash).primary);
        let raises = runs.is_some_and(|found| counter(&found) > state.counter);
        self.stage = if confirmed && (raises || state.trial.is_some()) {
            BootStage::Outgoing(kind)
        } else {
            BootStage::Incoming(kind)
        };
    }

    /// Nothing new was asked for: run what is there, or go back.
    fn decide_running(&mut self, decision: SwapType, primary: &Trailer) -> BootStage {
        let state = self.log.state();
        let (saved, recorded) = (state.saved, state.recorded);
        #[cfg(feature = "golden")]
        if state.trial == Some(super::golden::RESTORING) {
            return self.last_resort(BootState::NothingToRevertTo, self.why_reverted());
        }
        let used = match (decision, state.trial) {
            (SwapType::Revert, Some(used)) => used,
            // A torn confirmation that read as set once: what the records call confirmed stays.
            (SwapType::Revert, None) if recorded => return BootStage::Primary,
            // A trial that no record knows was started by another bootloader.
            (SwapType::Revert, None) => u8::MAX,
            (_, None) => return BootStage::Primary,
            (_, Some(used)) => {
                if is_confirmed(primary) {
                    self.log.push(Record::Confirmed);
                    return BootStage::Primary;
                }
                // A trailer that tells nothing confirms nothing.
                used
            }
        };
        self.trial = true;
        let spent = used >= self.board.policy.attempts.max(1) || self.start.gave_up.is_some();
        if !spent || self.counted {
            // Before the check: an image whose check never ends, or crashes the board, is given up as well.
            if !self.counted {
                self.counted = true;
                self.log
                    .push(Record::Trial(used.saturating_add(1).min(MOST_STARTS)));
            }
            BootStage::Primary
        } else if saved || !recorded {
            BootStage::Incoming(SwapKind::Revert)
        } else {
            // What the secondary slot holds, if anything, never ran here.
            self.last_resort(BootState::NothingToRevertTo, self.why_reverted())
        }
    }

    /// No image can run: the golden one, if there is one.
    pub(super) fn last_resort(&self, condition: BootState, reason: RollbackReason) -> BootStage {
        #[cfg(feature = "golden")]
        if !self.restored {
            return BootStage::Golden(condition, reason);
        }
        let _ = reason;
        BootStage::Last(Decision::Stay(condition))
    }
}

/// The trailer of an image that was swapped in, and that has confirmed itself; one torn while it did so counts.
fn is_confirmed(primary: &Trailer) -> bool {
    primary.magic == Mark::Set && primary.copy_done == Mark::Set && primary.image_ok != Mark::Unset
}
