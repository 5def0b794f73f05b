//! Versions, hashes and times as the page spells them.

use alloc::format;
use alloc::string::{String, ToString};

use super::super::hex;

/// As the page spells a board's version: a build number of 0 is left out.
pub fn spelled(version: &str) -> String {
    version
        .strip_suffix("+0")
        .or_else(|| {
            version
                .strip_suffix(".0")
                .filter(|short| short.matches('.').count() == 2)
        })
        .unwrap_or(version)
        .to_string()
}

/// `9 s`, `2 min 5 s`.
pub fn seconds(count: u32) -> String {
    match (count / 60, count % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

/// The first eight digits of a hash in two groups: short enough to read out loud.
pub fn short_hash(hash: &[u8]) -> String {
    long_hash(hash.get(..4).unwrap_or(hash))
}

/// A hash in groups of four digits.
pub fn long_hash(hash: &[u8]) -> String {
    let digits = hex(hash);
    let mut grouped = String::with_capacity(digits.len() * 5 / 4);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && at % 4 == 0 {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}
