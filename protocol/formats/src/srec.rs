//! Motorola S-records (the format's manual page, srec(5): "The S-Record Format").

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::memory::Memory;
use crate::text::{self, Error, Fault};

/// Bytes of data in a line that is written.
const LINE: usize = 32;

/// Writes S0, S3 with 32 bytes each, S5 with their number where that fits, and S7.
pub fn write<'p>(parts: impl IntoIterator<Item = (u32, &'p [u8])>) -> String {
    let mut text = record(b'0', &[0, 0], b"");
    let mut count: u32 = 0;
    for (start, part) in parts {
        for (at, line) in (start..=u32::MAX).step_by(LINE).zip(part.chunks(LINE)) {
            text.push_str(&record(b'3', &at.to_be_bytes(), line));
            count = count.saturating_add(1);
        }
    }
    if let Ok(count) = u16::try_from(count) {
        text.push_str(&record(b'5', &count.to_be_bytes(), &[]));
    }
    text.push_str(&record(b'7', &[0; 4], &[]));
    text
}

fn record(kind: u8, address: &[u8], data: &[u8]) -> String {
    let len = (address.len() + data.len() + 1) as u8;
    let bytes = [&[len], address, data].concat();
    let sum = !bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    let digits: String = bytes
        .iter()
        .chain([&sum])
        .map(|byte| format!("{byte:02X}"))
        .collect();
    format!("S{}{digits}\n", char::from(kind))
}

/// Reads a file.
///
/// # Errors
/// The first line that is wrong. Two lines for one address are wrong, and so is a file that neither ends with a line for that
/// (S7 to S9, which SRecord leaves out where it knows no start) nor says how many lines it has: half of it may be missing.
pub fn read(file: &[u8]) -> Result<Memory, Error> {
    let mut memory = Memory::default();
    let (mut count, mut has_ended, mut is_counted, mut last) = (0u32, false, false, 0);
    for (line, digits) in text::lines(file) {
        let at = |fault| Error { line, fault };
        last = line;
        if has_ended {
            return Err(at(Fault::AfterEnd));
        }
        is_counted = false;
        let [b'S' | b's', kind, digits @ ..] = digits else {
            return Err(at(Fault::Start));
        };
        let bytes = text::bytes(digits).ok_or(at(Fault::Digits))?;
        let Some((len, [content @ .., _sum])) = bytes.split_first() else {
            return Err(at(Fault::Length));
        };
        if usize::from(*len) != content.len() + 1 {
            return Err(at(Fault::Length));
        }
        if bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)) != 0xFF {
            return Err(at(Fault::Sum));
        }
        // Bytes of the address, or of the count.
        let width = match kind {
            b'0' | b'1' | b'5' | b'9' => 2,
            b'2' | b'6' | b'8' => 3,
            b'3' | b'7' => 4,
            _ => return Err(at(Fault::Kind)),
        };
        let (number, data) = content.split_at_checked(width).ok_or(at(Fault::Length))?;
        let number = number
            .iter()
            .fold(0u32, |number, byte| number << 8 | u32::from(*byte));
        match kind {
            b'1'..=b'3' => {
                memory
                    .insert(number, Vec::from(data))
                    .map_err(|misplaced| at(Fault::Place(misplaced)))?;
                count = count.saturating_add(1);
            }
            // A title.
            b'0' => {}
            _ if !data.is_empty() => return Err(at(Fault::Length)),
            b'5' | b'6' if number != count => return Err(at(Fault::Count)),
            b'5' | b'6' => is_counted = true,
            _ => has_ended = true,
        }
    }
    match has_ended || is_counted {
        true => Ok(memory),
        false => Err(Error {
            line: last,
            fault: Fault::NoEnd,
        }),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::memory::Misplaced;

    #[test]
    fn what_was_written_is_read() {
        let bytes: Vec<u8> = (0..3000u32).map(|it| (it * 7) as u8).collect();
        let parts = [
            (0x0001_FFFC, &bytes[..]),
            (0x0801_0001, &bytes[..5]),
            (u32::MAX, &bytes[..1]),
        ];
        let memory = read(write(parts).as_bytes()).unwrap();
        assert_eq!(memory.parts().collect::<Vec<_>>(), parts);
    }

    #[test]
    fn addresses_have_two_three_or_four_bytes() {
        for (text, at) in [
            ("S1041234AA0B\nS9030000FC", 0x1234),
            ("s205123456aaB4\ns804000000FB", 0x12_3456),
            ("S306123456781ACB\nS70500000000FA", 0x1234_5678),
        ] {
            assert_eq!(
                read(text.as_bytes()).unwrap().range().unwrap().start,
                at,
                "{text}"
            );
        }
    }

    #[test]
    fn every_wrong_line_is_named() {
        let good = "S1041234AA0B\n";
        let end = "S9030000FC\n";
        for (text, line, fault) in [
            (format!("{good}:00000001FF\n{end}"), 2, Fault::Start),
            (format!("{good}S1\n{end}"), 2, Fault::Length),
            (format!("{good}S1051234AA0A\n{end}"), 2, Fault::Length),
            (format!("{good}S10412340B\n{end}"), 2, Fault::Length),
            (format!("{good}S1041234AA0\n{end}"), 2, Fault::Digits),
            (format!("{good}S1041234AA0C\n{end}"), 2, Fault::Sum),
            (format!("{good}S4041234AA0B\n{end}"), 2, Fault::Kind),
            (format!("{good}S902\nS90200FD\n"), 2, Fault::Length),
            (format!("{good}S5030002FA\n{end}"), 2, Fault::Count),
            (format!("{good}S90400000AF1\n"), 2, Fault::Length),
            (format!("{good}{end}{good}"), 3, Fault::AfterEnd),
            (good.into(), 1, Fault::NoEnd),
            (
                format!("{good}{good}{end}"),
                2,
                Fault::Place(Misplaced::Overlap(0x1234)),
            ),
        ] {
            assert_eq!(read(text.as_bytes()), Err(Error { line, fault }), "{text}");
        }
        assert!(read(format!("{good}S5030001FB\n{end}").as_bytes()).is_ok());
        assert!(read(format!("{good}S5030001FB\n").as_bytes()).is_ok());
    }
}
