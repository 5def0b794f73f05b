//! The sum of all records.

use bootlace_image::Version;
use bootlace_smp::bootlace::{JournalOutcome, RollbackReason};

use super::journal::Journal;
use super::record::{Record, SwapKind, SwapPlan};

/// Starts of an image on trial are counted up to here.
pub(crate) const MOST_STARTS: u8 = u8::MAX - 1;

/// A swap under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swap {
    /// What is swapped.
    pub plan: SwapPlan,
    /// Copies of a unit that are complete.
    pub done: u16,
}

/// The sum of all records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
// In this order: see `Link`.
#[repr(C)]
pub struct State {
    /// The security counter that images must reach.
    pub counter: u32,
    /// The secondary slot holds the image that the last swap saved: what the board can go back to.
    pub saved: bool,
    /// A swap to be continued.
    pub swap: Option<Swap>,
    /// How often the image on trial was started.
    pub trial: Option<u8>,
    /// There are records at all: another bootloader leaves none.
    pub recorded: bool,
    /// The last image that was given up, and why.
    pub rollback: Option<(RollbackReason, Version)>,
    /// Starts of the board that changed its records: no other start writes to flash.
    pub starts: u16,
    /// The last updates.
    pub journal: Journal,
}

impl State {
    /// Takes a record into the sum.
    pub(super) fn apply(&mut self, record: Record) {
        match record {
            Record::Header { .. } => {}
            // A counter never goes back, whatever a record says.
            Record::Counter(value) => self.counter = self.counter.max(value),
            Record::Saved(on) => self.saved = on,
            Record::SwapStart(plan) => {
                self.swap = Some(Swap { plan, done: 0 });
            }
            Record::SwapMark(done) => {
                if let Some(swap) = &mut self.swap {
                    swap.done = done;
                }
            }
            Record::SwapEnd => {
                if let Some(Swap { plan, .. }) = self.swap.take() {
                    self.saved = plan.outgoing > 0;
                    self.trial = (plan.kind == SwapKind::Test).then_some(0);
                    if plan.kind != SwapKind::Revert {
                        self.rollback = None;
                    } else if let Some((reason, _)) = self.rollback {
                        self.journal.settle(JournalOutcome::RolledBack, reason);
                    }
                    if plan.kind == SwapKind::Permanent {
                        self.journal
                            .settle(JournalOutcome::Confirmed, RollbackReason::NotConfirmed);
                    }
                }
            }
            Record::Trial(used) => self.trial = Some(used),
            Record::Confirmed => {
                self.trial = None;
                self.journal
                    .settle(JournalOutcome::Confirmed, RollbackReason::NotConfirmed);
            }
            Record::Rollback(reason, version) => self.rollback = Some((reason, version)),
            Record::Starts(starts) => self.starts = starts,
            Record::Update(update) => self.journal.push(update),
            // Kept with the upload, not here.
            Record::Upload { .. } => {}
        }
    }

    /// The `index`th of the records that rebuild this state from nothing, with `depth` updates of the journal.
    #[inline(never)]
    pub(super) fn snapshot(&self, index: usize, depth: usize) -> Option<Record> {
        let mut left = index;
        // True once: for the `index`-th record that exists.
        let mut is_next = |exists: bool| {
            let found = exists && left == 0;
            left -= usize::from(exists && !found);
            found
        };
        if is_next(self.counter > 0) {
            return Some(Record::Counter(self.counter));
        }
        if let Some((reason, version)) = self.rollback
            && is_next(true)
        {
            return Some(Record::Rollback(reason, version));
        }
        if let Some(used) = self.trial
            && is_next(true)
        {
            return Some(Record::Trial(used));
        }
        if let Some(swap) = self.swap {
            if is_next(true) {
                return Some(Record::SwapStart(swap.plan));
            }
            if is_next(true) {
                return Some(Record::SwapMark(swap.done));
            }
        }
        if is_next(true) {
            return Some(Record::Starts(self.starts));
        }
        if is_next(true) {
            return Some(Record::Saved(self.saved));
        }
        self.journal.oldest(left, depth).map(Record::Update)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_rebuilds_every_state() {
        let mut state = State::default();
        for record in crate::state::record::every() {
            state.apply(record);
            let mut again = State::default();
            for record in (0..).map_while(|index| state.snapshot(index, 8)) {
                again.apply(record);
            }
            assert_eq!(again, state, "after {record:?}");
        }
    }
}
