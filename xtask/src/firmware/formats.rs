//! Files that programmers and chips take: Intel HEX and UF2.

/// Intel HEX, 16 bytes a line. Between the parts, each with the address that it is written to, nothing is said: programmers erase
/// what they write, and a board's records may lie there.
pub(crate) fn hex<'p>(parts: impl IntoIterator<Item = (u32, &'p [u8])>) -> String {
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
    std::iter::from_fn(move || {
        let room = 16 - at as usize % 16;
        let (line, after) = rest.split_at(room.min(rest.len()));
        let place = at;
        (at, rest) = (at.wrapping_add(line.len() as u32), after);
        (!line.is_empty()).then_some((place, line))
    })
}

/// Where the flash begins of the one chip that takes UF2, and its bootloader.
pub(super) const RP2040_FLASH: u32 = 0x1000_0000;

/// UF2 for an RP2040: what its drive takes (the format's specification, "File containers"). Blocks of 512 bytes with 256
/// of the program each; the chip restarts when all of them have come.
pub(super) fn uf2(start: u32, image: &[u8]) -> Vec<u8> {
    const HEAD: [u32; 2] = [0x0A32_4655, 0x9E5D_5157];
    const END: u32 = 0x0AB1_6F30;
    const HAS_FAMILY: u32 = 0x2000;
    const FAMILY: u32 = 0xE48B_FF56;
    const PAGE: usize = 256;
    const DATA: usize = 476;
    let count = image.len().div_ceil(PAGE) as u32;
    let mut file = Vec::new();
    for ((number, address), page) in (0u32..).zip((start..).step_by(PAGE)).zip(image.chunks(PAGE)) {
        let end = file.len() + 32 + DATA;
        let words = [HAS_FAMILY, address, PAGE as u32, number, count, FAMILY];
        for word in HEAD.into_iter().chain(words) {
            file.extend_from_slice(&word.to_le_bytes());
        }
        file.extend_from_slice(page);
        // The last page is blank behind the program, as erased flash is.
        file.resize(end - DATA + PAGE, 0xFF);
        file.resize(end, 0);
        file.extend_from_slice(&END.to_le_bytes());
    }
    file
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn hex_lines_carry_address_and_sum_and_no_gaps() {
        let text = hex([(0x0001_FFFC, &[0xFF; 6][..]), (0x0002_C000, &[1])]);
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

    #[test]
    fn a_uf2_file_has_a_block_for_each_page() {
        let file = uf2(0x1000_0000, &[7; 300]);
        let blocks: Vec<&[u8]> = file.chunks(512).collect();
        let word = |block: usize, at: usize| u32::from_le_bytes(*blocks[block][at..].first_chunk().unwrap());
        assert_eq!((blocks.len(), file.len()), (2, 1024));
        for block in 0..2 {
            assert_eq!(
                (word(block, 0), word(block, 4), word(block, 508)),
                (0x0A32_4655, 0x9E5D_5157, 0x0AB1_6F30)
            );
            assert_eq!(
                (word(block, 12), word(block, 16)),
                (0x1000_0000 + 256 * block as u32, 256)
            );
            assert_eq!(
                (word(block, 20), word(block, 24), word(block, 28)),
                (block as u32, 2, 0xE48B_FF56)
            );
        }
        assert_eq!(&blocks[1][32..32 + 45], [[7; 44].as_slice(), &[0xFF]].concat());
        assert_eq!(&blocks[1][32 + 256..508], [0; 220]);
    }
}
