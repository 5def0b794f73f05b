//! What is said about a board's last updates, its golden image and its supply.

use alloc::format;
use alloc::string::String;

use bootlace_smp::bootlace::{JournalEntry, JournalOutcome, Release, Supply};

use super::rollback;

/// A version as the board's records keep it: without its build number.
pub fn release(it: Release) -> String {
    format!("{}.{}.{}", it.major, it.minor, it.revision)
}

/// What came of an update, as a sentence that follows "1.0.0 to 1.1.0:".
pub fn came_of(update: &JournalEntry) -> String {
    let why = rollback(update.reason);
    match update.outcome {
        JournalOutcome::Trial => "on trial, not confirmed yet.".into(),
        JournalOutcome::Confirmed => "confirmed.".into(),
        JournalOutcome::RolledBack => format!("taken back: {why}."),
        JournalOutcome::Refused => format!("never started: {why}."),
        JournalOutcome::Golden if update.from == Release::default() => format!("restored: {why}."),
        JournalOutcome::Golden => format!("restored, because {} could not run: {why}.", release(update.from)),
        _ => "an outcome that this version does not know.".into(),
    }
}

/// From what to what an update went, or what the golden image is.
pub fn from_to(update: &JournalEntry) -> String {
    if update.outcome == JournalOutcome::Golden {
        return format!("golden image {}", release(update.to));
    }
    if update.from == Release::default() {
        return format!("to {}", release(update.to));
    }
    format!("{} to {}", release(update.from), release(update.to))
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
    use bootlace_smp::bootlace::RollbackReason;

    use super::*;

    #[test]
    fn an_update_in_words() {
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
        assert_eq!(came_of(&update), "taken back: it crashed.");
        let golden = JournalEntry {
            outcome: JournalOutcome::Golden,
            reason: RollbackReason::BadImage,
            ..update
        };
        assert_eq!(
            came_of(&golden),
            "restored, because 1.2.3 could not run: it no longer verified."
        );
        let low = Supply {
            level: 2905,
            limit: 3300,
            percent: false,
        };
        assert_eq!(supply(&low), "2.90 V: too low, updates need 3.30 V");
    }
}
