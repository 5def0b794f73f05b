//! What the formats that are written as lines of hexadecimal digits have in common.

use alloc::vec::Vec;
use core::fmt;

use crate::memory::Misplaced;

/// Why a file of lines can't be used: the first line that is wrong, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// The line.
    pub line: usize,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It does not begin as a line of this format does.
    Start,
    /// It has something other than pairs of hexadecimal digits.
    Digits,
    /// It has more or fewer bytes than it says, or than its kind has.
    Length,
    /// Its sum is wrong.
    Sum,
    /// Its kind is not known.
    Kind,
    /// It stands behind the line that ends the file.
    AfterEnd,
    /// The file ends before the line that should end it: the line is the last one.
    NoEnd,
    /// The file says that it has another number of lines of data.
    Count,
    /// Its bytes can't lie where it says.
    Place(Misplaced),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        match self.fault {
            Fault::Start => f.write_str("it does not begin as such a line does"),
            Fault::Digits => f.write_str("it has something other than pairs of hexadecimal digits"),
            Fault::Length => f.write_str("it is longer or shorter than it says"),
            Fault::Sum => f.write_str("its checksum is wrong"),
            Fault::Kind => f.write_str("its kind is not known"),
            Fault::AfterEnd => f.write_str("it stands behind the line that ends the file"),
            Fault::NoEnd => f.write_str("the file ends without the line that ends it: part of it is missing"),
            Fault::Count => f.write_str("the file has another number of lines than it says here"),
            Fault::Place(misplaced) => write!(f, "{misplaced}"),
        }
    }
}

impl core::error::Error for Error {}

/// The lines that hold anything, with their numbers, without blanks at either end. A line ends in `\n`, `\r` or both.
pub(crate) fn lines(file: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let (mut rest, mut number) = (file, 0);
    core::iter::from_fn(move || {
        while !rest.is_empty() {
            let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let (line, after) = rest.split_at(end.unwrap_or(rest.len()));
            let next = after.strip_prefix(b"\r\n").or(after.get(1..));
            (rest, number) = (next.unwrap_or_default(), number + 1);
            let line = line.trim_ascii();
            if !line.is_empty() {
                return Some((number, line));
            }
        }
        None
    })
}

/// The bytes that pairs of digits stand for, of either case.
pub(crate) fn bytes(digits: &[u8]) -> Option<Vec<u8>> {
    let (pairs, []) = digits.as_chunks::<2>() else {
        return None;
    };
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let byte = |[high, low]: &[u8; 2]| Some((digit(*high)? << 4 | digit(*low)?) as u8);
    pairs.iter().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_as_an_editor_counts_them() {
        let file = b"a\r\n\r\n b \nc\rd";
        let found: Vec<(usize, &[u8])> = lines(file).collect();
        assert_eq!(found, [(1, &b"a"[..]), (3, b"b"), (4, b"c"), (5, b"d")]);
    }

    #[test]
    fn digits_are_pairs_of_either_case() {
        assert_eq!(bytes(b"00fFA5"), Some(alloc::vec![0, 0xFF, 0xA5]));
        for wrong in [&b"0"[..], b"0g", b"+1", b"\xFF\xFF"] {
            assert_eq!(bytes(wrong), None);
        }
    }
}
