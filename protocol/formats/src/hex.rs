//! Intel HEX (Intel's specification of 1988, records 00, 01 and 04).

use alloc::format;
use alloc::string::String;
use alloc::vec;

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

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

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
