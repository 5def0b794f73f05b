//! Files of a chip's memory.

use bootlace_formats::memory::Memory;
use bootlace_formats::{Format, hex, read, srec, uf2};

/// Any file is read or refused; what is read is written in every format and read again.
pub fn memory(data: &[u8]) {
    let Ok(memory) = read(data, 0xFFFF_F000) else {
        return;
    };
    let range = memory.range().unwrap_or_default();
    let gaps: u64 = memory
        .gaps(range.clone())
        .iter()
        .map(|gap| gap.end - gap.start)
        .sum();
    assert_eq!(memory.len() + gaps, range.end - range.start, "bytes and gaps");
    for text in [hex::write(memory.parts()), srec::write(memory.parts())] {
        assert_ne!(
            Format::of(text.as_bytes()),
            Format::Binary,
            "a text that is not known again"
        );
        assert_eq!(read(text.as_bytes(), 0).unwrap(), memory, "another memory");
    }
    if memory.is_empty() {
        return;
    }
    let again = read(&uf2::write_memory(&memory, uf2::RP2040), 0).unwrap();
    let mut both = Memory::default();
    for (at, bytes) in memory.parts() {
        let end = u64::from(at) + bytes.len() as u64;
        both.merge(&again.crop(u64::from(at)..end)).unwrap();
    }
    assert_eq!(both, memory, "another memory in UF2");
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut memory = Memory::of(0x0800_FFF0, (0..100).collect()).unwrap();
    memory.insert(0x2000_0000, vec![7; 3]).unwrap();
    // A program of 32 bits, lowest byte first, with one part of 8 bytes at 0x0800_0000 (the ELF specification's headers).
    let words = |words: &[u32]| {
        words
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect::<Vec<u8>>()
    };
    let mut elf = b"\x7FELF\x01\x01\x01".to_vec();
    elf.resize(16, 0);
    elf.extend(words(&[0x0028_0002, 1, 0x0800_0001, 52, 0, 0, 0x0020_0034, 1, 0]));
    elf.extend(words(&[1, 84, 0x2000_0000, 0x0800_0000, 8, 8, 5, 4]));
    elf.extend(b"12345678");
    vec![
        hex::write(memory.parts()).into_bytes(),
        srec::write(memory.parts()).into_bytes(),
        uf2::write_memory(&memory, uf2::RP2040),
        elf,
        b":020000021000EC\n:02FFFF00010201\r\n:00000001FF".to_vec(),
        b"S1041234AA0B\nS9030000FC\n".to_vec(),
        vec![1; 40],
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_of_a_program_is_one() {
        let elf = seeds()
            .into_iter()
            .find(|seed| seed.starts_with(b"\x7FELF"))
            .unwrap();
        let memory = read(&elf, 0).unwrap();
        assert_eq!(
            memory.parts().collect::<Vec<_>>(),
            [(0x0800_0000, &b"12345678"[..])]
        );
    }
}
