//! What test runners say about themselves.

use std::fmt;
use std::ops::Add;

/// How many lines of a failed run are shown.
const SHOWN: usize = 200;

/// Passed and failed tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Counts {
    /// Something that is one test as a whole.
    pub(crate) fn one(passed: bool) -> Self {
        Self {
            passed: passed.into(),
            failed: (!passed).into(),
        }
    }

    /// Adds up the lines `test result: ok. 6 passed; 0 failed; ...` of a run.
    pub(crate) fn read(text: &str) -> Self {
        text.lines()
            .filter_map(result_line)
            .fold(Self::default(), Add::add)
    }

    /// A run that failed without a failed test, in a compiler for one, is one failure.
    pub(crate) fn with_exit(self, success: bool) -> Self {
        let unexplained = !success && self.failed == 0;
        Self {
            failed: self.failed + u64::from(unexplained),
            ..self
        }
    }
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

fn result_line(line: &str) -> Option<Counts> {
    let rest = line.trim().strip_prefix("test result: ")?;
    let number = |label: &str| {
        let field = rest
            .split(['.', ';'])
            .find_map(|field| field.trim().strip_suffix(label))?;
        field.trim().parse::<u64>().ok()
    };
    Some(Counts {
        passed: number("passed")?,
        failed: number("failed")?,
    })
}

/// The part of a failed run that tells why: compiler errors and the words of failed tests.
pub(crate) fn failures(text: &str) -> String {
    let noise = |line: &str| {
        let line = line.trim_start();
        line.ends_with("... ok")
            || line.starts_with("Compiling ")
            || line.starts_with("Downloaded ")
            || line.starts_with("Checking ")
            || line.starts_with("Running ")
            || line.starts_with("running ")
            || line.starts_with("test result: ok.")
    };
    let mut lines: Vec<&str> = text.lines().filter(|line| !noise(line)).collect();
    lines.dedup_by(|one, other| one.trim().is_empty() && other.trim().is_empty());
    lines
        .get(lines.len().saturating_sub(SHOWN)..)
        .unwrap_or_default()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_all_runners_are_added() {
        let text = "running 6 tests\n\
            test result: ok. 6 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.13s\n\
            test result: FAILED. 10 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.13s\n\
            test result: ok. 3 passed; 0 failed; 0 ignored; 0 filtered out; finished in 0.00s\n";
        assert_eq!(
            Counts::read(text),
            Counts {
                passed: 19,
                failed: 2
            }
        );
    }

    #[test]
    fn a_failure_without_counts_is_one() {
        assert_eq!(
            Counts::read("error: could not compile").with_exit(false),
            Counts { passed: 0, failed: 1 }
        );
        let counted = Counts { passed: 3, failed: 2 };
        assert_eq!(counted.with_exit(false), counted);
        assert_eq!(counted.with_exit(true), counted);
    }

    #[test]
    fn failures_are_shown_without_what_passed() {
        let text = "   Compiling a v1\ntest one ... ok\ntest two ... FAILED\n\n\nwhy\n";
        assert_eq!(failures(text), "test two ... FAILED\n\nwhy");
    }
}
