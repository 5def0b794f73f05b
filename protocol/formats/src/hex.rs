//! Intel HEX (Intel's "Hexadecimal Object File Format Specification", revision A, 1988).

use alloc::format;
use alloc::string::String;
use alloc::vec;

use crate::memory::Memory;
use crate::text::{self, Error, Fault};

/// Intel HEX, 16 bytes a line. Between the parts, each with the address that it is written to, nothing is said: programmers erase
/// what they write, and a board's records may lie there.
pub fn write<'p>(parts: impl IntoIterator<Item = (u32, &'p [u8])>) -> String {
    let mut text = String::new();
    let mut record = |kind: u8, address: u16, data: &[u8]| {
        let [high, low] = address.to_be_bytes();
        let mut bytes = vec![data.len() as u8, high, low, kind];
        bytes.extend_from_slice(data);
        let sum = bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
        bytes.push(sum.wrapping_neg());
        text.push(':');
        bytes
            .iter()
            .for_each(|byte| text.push_str(&format!("{byte:02X}")));
        text.push('\n');
    };
    let mut upper = None;
    for (at, line) in parts.into_iter().flat_map(lines) {
        if upper != Some(at >> 16) {
            upper = Some(at >> 16);
            record(4, 0, &((at >> 16) as u16).to_be_bytes());
        }
        record(0, at as u16, line);
    }
    record(1, 0, &[]);
    text
}

/// A part in lines of 16 bytes that begin where 16 bytes do, as none may go over a limit of 64 KB; the first may be shorter.
fn lines((start, part): (u32, &[u8])) -> impl Iterator<Item = (u32, &[u8])> {
    let (mut at, mut rest) = (start, part);
    core::iter::from_fn(move || {
        let room = 16 - at as usize % 16;
        let (line, after) = rest.split_at(room.min(rest.len()));
        let place = at;
        (at, rest) = (at.wrapping_add(line.len() as u32), after);
        (!line.is_empty()).then_some((place, line))
    })
}

/// Kinds of records.
const DATA: u8 = 0;
const END: u8 = 1;
/// Bits 4 to 19 of the address at which the data that follow begin; their offset stays within 64 KB.
const SEGMENT: u8 = 2;
/// Bits 16 to 31 of the address; the offset goes on behind 64 KB.
const LINEAR: u8 = 4;
/// Where the program starts, in either way: nothing for a chip's flash.
const STARTS: [u8; 2] = [3, 5];

/// What offsets count from.
#[derive(Clone, Copy)]
enum Base {
    Segment(u16),
    Linear(u16),
}

/// Reads a file.
///
/// # Errors
/// The first line that is wrong. Two lines for one address are wrong.
pub fn read(file: &[u8]) -> Result<Memory, Error> {
    let mut memory = Memory::default();
    let (mut base, mut has_ended, mut last) = (Base::Linear(0), false, 0);
    for (line, digits) in text::lines(file) {
        let at = |fault| Error { line, fault };
        last = line;
        if has_ended {
            return Err(at(Fault::AfterEnd));
        }
        let digits = digits.strip_prefix(b":").ok_or(at(Fault::Start))?;
        let bytes = text::bytes(digits).ok_or(at(Fault::Digits))?;
        let [len, high, low, kind, rest @ ..] = bytes.as_slice() else {
            return Err(at(Fault::Length));
        };
        let Some((data, [_sum])) = rest.split_at_checked(usize::from(*len)) else {
            return Err(at(Fault::Length));
        };
        if bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)) != 0 {
            return Err(at(Fault::Sum));
        }
        match (*kind, data) {
            (DATA, _) => {
                let offset = u16::from_be_bytes([*high, *low]);
                put(&mut memory, base, offset, data).map_err(at)?;
            }
            (END, []) => has_ended = true,
            (SEGMENT, [high, low]) => base = Base::Segment(u16::from_be_bytes([*high, *low])),
            (LINEAR, [high, low]) => base = Base::Linear(u16::from_be_bytes([*high, *low])),
            (kind, [_, _, _, _]) if STARTS.contains(&kind) => {}
            (kind, _) if kind <= 5 => return Err(at(Fault::Length)),
            _ => return Err(at(Fault::Kind)),
        }
    }
    match has_ended {
        true => Ok(memory),
        false => Err(Error {
            line: last,
            fault: Fault::NoEnd,
        }),
    }
}

/// A record's data at their addresses. Those of a segment come round to its begin behind 64 KB, those of 32 bits to 0.
fn put(memory: &mut Memory, base: Base, offset: u16, data: &[u8]) -> Result<(), Fault> {
    let (first, room) = match base {
        Base::Segment(segment) => {
            let begin = u32::from(segment) << 4;
            let room = (1 << 16) - u64::from(offset);
            (begin.wrapping_add(u32::from(offset)), room)
        }
        Base::Linear(upper) => {
            let first = u32::from(upper) << 16 | u32::from(offset);
            (first, crate::memory::END - u64::from(first))
        }
    };
    let (before, behind) = data.split_at(data.len().min(room as usize));
    let round = match base {
        Base::Segment(segment) => u32::from(segment) << 4,
        Base::Linear(_) => 0,
    };
    memory.insert(first, before.to_vec()).map_err(Fault::Place)?;
    memory.insert(round, behind.to_vec()).map_err(Fault::Place)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::memory::Misplaced;
    use alloc::borrow::ToOwned as _;
    use alloc::vec::Vec;

    fn record(kind: u8, offset: u16, data: &[u8]) -> String {
        let mut bytes = vec![data.len() as u8, (offset >> 8) as u8, offset as u8, kind];
        bytes.extend(data);
        bytes.push(bytes.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte)));
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!(":{digits}\r\n")
    }

    fn parts(text: &str) -> Vec<(u32, Vec<u8>)> {
        let memory = read((text.to_owned() + ":00000001FF\n").as_bytes()).unwrap();
        memory.parts().map(|(at, bytes)| (at, bytes.to_vec())).collect()
    }

    #[test]
    fn what_was_written_is_read() {
        let bytes: Vec<u8> = (0..70_000u32).map(|it| (it * 7) as u8).collect();
        let parts = [(0x0001_FFFC, &bytes[..]), (0x0801_0000, &bytes[..5])];
        let memory = read(write(parts).as_bytes()).unwrap();
        assert_eq!(memory.parts().collect::<Vec<_>>(), parts);
    }

    #[test]
    fn offsets_count_from_segments_and_from_upper_halves() {
        assert_eq!(
            parts(&(record(2, 0, &[0x12, 0x34]) + &record(0, 0xFFFF, &[1, 2]))),
            [(0x12340, vec![2]), (0x1_2340 + 0xFFFF, vec![1])]
        );
        assert_eq!(
            parts(&(record(4, 0, &[0x08, 0x00]) + &record(0, 0xFFFF, &[1, 2]))),
            [(0x0800_FFFF, vec![1, 2])]
        );
        assert_eq!(
            parts(&(record(4, 0, &[0xFF, 0xFF]) + &record(0, 0xFFFF, &[1, 2]))),
            [(0, vec![2]), (0xFFFF_FFFF, vec![1])]
        );
        assert_eq!(
            parts(&(record(5, 0, &[1, 2, 3, 4]) + &record(3, 0, &[1, 2, 3, 4]) + &record(0, 7, &[9]))),
            [(7, vec![9])]
        );
    }

    #[test]
    fn every_wrong_line_is_named() {
        let good = record(0, 0, &[1, 2]);
        let end = ":00000001FF\n";
        for (text, line, fault) in [
            (format!("{good}; a comment\n{end}"), 2, Fault::Start),
            (format!("{good}:0000\n{end}"), 2, Fault::Length),
            (format!("{good}:03000000010203\n{end}"), 2, Fault::Length),
            (format!("{good}:00000001F\n"), 2, Fault::Digits),
            (format!("{good}:00000001FE\n"), 2, Fault::Sum),
            (format!("{good}{}{end}", record(4, 0, &[1])), 2, Fault::Length),
            (format!("{good}{}{end}", record(1, 0, &[1])), 2, Fault::Length),
            (format!("{good}{}{end}", record(6, 0, &[])), 2, Fault::Kind),
            (format!("{good}{end}{good}"), 3, Fault::AfterEnd),
            (format!("\n\n{good}\n"), 3, Fault::NoEnd),
            (String::new(), 0, Fault::NoEnd),
            (
                format!("{good}{}{end}", record(0, 1, &[2])),
                2,
                Fault::Place(Misplaced::Overlap(1)),
            ),
        ] {
            assert_eq!(read(text.as_bytes()), Err(Error { line, fault }), "{text}");
        }
    }

    #[test]
    fn hex_lines_carry_address_and_sum_and_no_gaps() {
        let text = write([(0x0001_FFFC, &[0xFF; 6][..]), (0x0002_C000, &[1])]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                ":020000040001F9",
                ":04FFFC00FFFFFFFF05",
                ":020000040002F8",
                ":02000000FFFF00",
                ":01C00000013E",
                ":00000001FF",
            ]
        );
    }
}
