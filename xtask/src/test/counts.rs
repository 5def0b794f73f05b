//! What test runners say about themselves.

use std::fmt;
use std::ops::Add;

/// How many lines of a failed test, or of a compiler, are shown.
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

/// The names of the tests that failed: of the standard harness, of `bootlace_tests::runner` and of wasm-bindgen's.
pub(crate) fn failed_tests(text: &str) -> Vec<&str> {
    text.lines()
        .filter_map(|line| {
            let (name, verdict) = line.trim().strip_prefix("test ")?.rsplit_once(" ... ")?;
            verdict.starts_with("FAIL").then_some(name)
        })
        .collect()
}

/// The part of a failed run that tells why: the words of failed tests, or of a compiler where no test has failed.
pub(crate) fn failures(text: &str) -> String {
    let names = failed_tests(text);
    if names.is_empty() {
        return compilers_words(text);
    }
    let mut shown = Vec::new();
    for name in names {
        shown.push(format!("{name}: FAILED"));
        shown.extend(words_of(name, text).take(SHOWN).map(str::to_owned));
    }
    shown.join("\n")
}

/// What a test runner tells of a failed test, under a heading of dashes.
fn words_of<'a>(name: &'a str, text: &'a str) -> impl Iterator<Item = &'a str> {
    let is_heading = move |line: &str| {
        let title = line.trim().strip_prefix("---- ").unwrap_or_default();
        title.split_whitespace().next() == Some(name)
    };
    let is_end = |line: &&str| {
        let line = line.trim_start();
        ["---- ", "failures:", "test result:", "test "]
            .iter()
            .any(|start| line.starts_with(start))
    };
    text.lines()
        .skip_while(move |line| !is_heading(line))
        .skip(1)
        .take_while(move |line| !is_end(line))
}

fn compilers_words(text: &str) -> String {
    let noise = |line: &str| {
        let line = line.trim_start();
        line.starts_with("test ")
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
    fn failed_tests_of_every_runner_are_named_with_their_own_words_alone() {
        let text = "test one ... ok\ntest two ... FAILED\ntest three ... FAILED (3.1 s)\n---- three ----\nit is late\n\n\
            test four ... ok (1.0 s)\ntest five ... FAIL\n\nfailures:\n\n---- two stdout ----\nleft: 1\nright: 2\n\n\
            ---- five output ----\n    a panic\n\nfailures:\n    two\n";
        assert_eq!(failed_tests(text), ["two", "three", "five"]);
        assert_eq!(
            failures(text),
            "two: FAILED\nleft: 1\nright: 2\n\nthree: FAILED\nit is late\n\nfive: FAILED\n    a panic\n"
        );
    }

    #[test]
    fn a_run_without_a_failed_test_shows_what_the_compiler_says() {
        let text = "   Compiling a v1\ntest one ... ok\n\n\nerror: why\n";
        assert_eq!(failures(text), "\nerror: why");
    }
}
