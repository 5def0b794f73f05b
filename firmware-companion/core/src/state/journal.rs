//! The last updates that this board began, and what came of each.

use bootlace_image::Version;
use bootlace_smp::bootlace::{JournalEntry, JournalOutcome, Release, RollbackReason};

/// So many updates are remembered, where the state area has room for them.
pub(crate) const DEPTH: usize = 8;

/// A ring of updates; a snapshot of the records carries it from unit to unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Journal {
    /// Newest first.
    updates: [JournalEntry; DEPTH],
    len: u8,
}

impl Default for Journal {
    fn default() -> Self {
        let none = Release {
            major: 0,
            minor: 0,
            revision: 0,
        };
        let none = JournalEntry {
            from: none,
            to: none,
            start: 0,
            outcome: JournalOutcome::Trial,
            reason: RollbackReason::NotConfirmed,
        };
        Journal {
            updates: [none; DEPTH],
            len: 0,
        }
    }
}

/// A version as the journal keeps it.
pub(crate) fn release(version: Version) -> Release {
    Release {
        major: version.major,
        minor: version.minor,
        revision: version.revision,
    }
}

impl Journal {
    /// The updates, newest first.
    pub fn updates(&self) -> &[JournalEntry] {
        self.updates.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// The update that has no outcome yet.
    pub fn trial(&self) -> Option<&JournalEntry> {
        self.updates()
            .iter()
            .find(|update| update.outcome == JournalOutcome::Trial)
    }

    #[inline(never)]
    pub(super) fn push(&mut self, update: JournalEntry) {
        // A trial that another update ends was given up, for that update's reason.
        if update.outcome != JournalOutcome::Refused {
            self.settle(JournalOutcome::RolledBack, update.reason);
        }
        self.updates.rotate_right(1);
        if let Some(first) = self.updates.first_mut() {
            *first = update;
        }
        self.len = (self.len + 1).min(DEPTH as u8);
    }

    /// The update under trial came to this.
    pub(crate) fn settle(&mut self, outcome: JournalOutcome, reason: RollbackReason) {
        let mut updates = self.updates.iter_mut().take(usize::from(self.len));
        if let Some(update) = updates.find(|update| update.outcome == JournalOutcome::Trial) {
            (update.outcome, update.reason) = (outcome, reason);
        }
    }

    /// The `index`th of the newest `depth` updates, oldest first.
    pub(super) fn oldest(&self, index: usize, depth: usize) -> Option<JournalEntry> {
        let kept = self.updates().len().min(depth);
        self.updates().get(kept.checked_sub(index + 1)?).copied()
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    fn update(number: u8, outcome: JournalOutcome) -> JournalEntry {
        JournalEntry {
            from: Release::default(),
            to: Release {
                major: number,
                ..Release::default()
            },
            start: u16::from(number),
            outcome,
            reason: RollbackReason::NotConfirmed,
        }
    }

    #[test]
    fn the_oldest_goes_first_and_a_trial_is_settled_once() {
        let mut journal = Journal::default();
        for number in 1..=10 {
            journal.push(update(number, JournalOutcome::Trial));
            journal.push(update(100 + number, JournalOutcome::Refused));
            assert_eq!(journal.trial().map(|it| it.start), Some(number.into()));
        }
        let starts: Vec<_> = journal
            .updates()
            .iter()
            .map(|it| (it.start, it.outcome))
            .collect();
        assert_eq!(starts.len(), DEPTH);
        assert_eq!(
            starts.get(..4),
            Some(
                [
                    (110, JournalOutcome::Refused),
                    (10, JournalOutcome::Trial),
                    (109, JournalOutcome::Refused),
                    (9, JournalOutcome::RolledBack)
                ]
                .as_slice()
            )
        );
        journal.settle(JournalOutcome::Confirmed, RollbackReason::NotConfirmed);
        journal.settle(JournalOutcome::RolledBack, RollbackReason::Fault);
        assert_eq!(journal.trial(), None);
        assert_eq!(
            journal.updates().get(1).map(|it| it.outcome),
            Some(JournalOutcome::Confirmed)
        );
        assert_eq!(journal.oldest(0, 2).map(|it| it.start), Some(10));
        assert_eq!(journal.oldest(1, 2).map(|it| it.start), Some(110));
        assert_eq!(journal.oldest(2, 2), None);
    }
}
