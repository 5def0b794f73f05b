//! What is said about a board's last updates, its golden image and its supply.

use alloc::format;
use alloc::string::String;

use bootlace_smp::bootlace::{JournalEntry, JournalOutcome, Release, RollbackReason, Supply};

use super::rolled_back;

/// A version as the board's records keep it: without its build number.
pub fn release(it: Release) -> String {
    format!("{}.{}.{}", it.major, it.minor, it.revision)
}

/// What came of an update: a whole sentence.
pub fn came_of(update: &JournalEntry) -> String {
    let from = (update.from != Release::default()).then(|| release(update.from));
    let to = release(update.to);
    match (update.outcome, from) {
        (JournalOutcome::Trial, _) => format!("{to} is being tested and not confirmed yet."),
        (JournalOutcome::Confirmed, _) => format!("{to} was confirmed."),
        (JournalOutcome::RolledBack | JournalOutcome::Refused, _) => rolled_back(&to, Some(update.reason)),
        (JournalOutcome::Golden, Some(from)) if update.reason == RollbackReason::BadImage => {
            format!("{from} was damaged; the backup copy ({to}) was restored.")
        }
        (JournalOutcome::Golden, Some(from)) => {
            format!("{from} could not run; the backup copy ({to}) was restored.")
        }
        (JournalOutcome::Golden, None) => format!("The backup copy ({to}) was restored."),
        _ => format!("What became of {to} is told in a way that this version of Bootlace does not know."),
    }
}

/// From what to what an update went, or what the golden image is.
pub fn from_to(update: &JournalEntry) -> String {
    let to = release(update.to);
    if update.outcome == JournalOutcome::Golden {
        return format!("backup copy {to}");
    }
    if update.from == Release::default() {
        return format!("to {to}");
    }
    format!("{} to {to}", release(update.from))
}

/// A supply and its limit.
pub fn supply(it: &Supply) -> String {
    let amount = |level: u32| match it.percent {
        true => format!("{level} %"),
        false => format!("{}.{:02} V", level / 1000, level % 1000 / 10),
    };
    let (level, limit) = (amount(it.level), amount(it.limit));
    if it.is_low() {
        format!("{level}: too low, updates need {limit}")
    } else {
        format!("{level} (updates need {limit})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_entry_reads_as_a_sentence() {
        let update = JournalEntry {
            from: Release {
                major: 1,
                minor: 2,
                revision: 3,
            },
            to: Release {
                major: 2,
                ..Release::default()
            },
            start: 4,
            outcome: JournalOutcome::RolledBack,
            reason: RollbackReason::Fault,
        };
        assert_eq!(from_to(&update), "1.2.3 to 2.0.0");
        assert_eq!(came_of(&update), "Rolled back: 2.0.0 crashed.");
        let golden = JournalEntry {
            outcome: JournalOutcome::Golden,
            reason: RollbackReason::BadImage,
            ..update
        };
        assert_eq!(
            came_of(&golden),
            "1.2.3 was damaged; the backup copy (2.0.0) was restored."
        );
        let low = Supply {
            level: 2905,
            limit: 3300,
            percent: false,
        };
        assert_eq!(supply(&low), "2.90 V: too low, updates need 3.30 V");
    }
}
