//! UF2, what a chip's drive takes (Microsoft's specification, "File format"): blocks of 512 bytes, each with the address of the
//! up to 476 bytes that it carries.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

use crate::memory::Memory;

/// The two numbers that begin a block, and the one that ends it.
const HEAD: [u32; 2] = [0x0A32_4655, 0x9E5D_5157];
const END: u32 = 0x0AB1_6F30;
/// Flags of a block.
const NOT_FOR_FLASH: u32 = 0x0000_0001;
const HAS_FAMILY: u32 = 0x0000_2000;
/// Bytes of a block, of what stands before its data, and of its data at most.
const BLOCK: usize = 512;
const HEADER: usize = 32;
const DATA: usize = 476;
/// Bytes that a written block carries: chips with a drive program whole pages of so many.
const PAGE: usize = 256;

/// Family of files for an RP2040 (the registry that the specification names).
pub const RP2040: u32 = 0xE48B_FF56;
/// The same for an nRF52840: what Adafruit's bootloader takes as an application (`CFG_UF2_FAMILY_APP_ID` in its `uf2cfg.h`).
pub const NRF52840: u32 = 0xADA5_2840;

/// Writes bytes that begin at `start` for chips of a family. The last page is blank behind them, as erased flash is.
pub fn write(start: u32, bytes: &[u8], family: u32) -> Vec<u8> {
    let pages = (start..).step_by(PAGE).zip(bytes.chunks(PAGE));
    encoded(&pages.collect::<Vec<_>>(), family)
}

/// Writes all pages of 256 bytes in which there is a byte, for chips of a family. Around it they are blank, as erased flash is.
pub fn write_memory(memory: &Memory, family: u32) -> Vec<u8> {
    let first_of = |at: u64| at - at % PAGE as u64;
    let mut pages: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
    for (at, bytes) in memory.parts() {
        let end = u64::from(at) + bytes.len() as u64;
        for page in (first_of(u64::from(at))..end).step_by(PAGE) {
            let whole = || memory.flat(page..page + PAGE as u64, 0xFF);
            pages.entry(page as u32).or_insert_with(whole);
        }
    }
    let pages: Vec<(u32, &[u8])> = pages.iter().map(|(at, bytes)| (*at, bytes.as_slice())).collect();
    encoded(&pages, family)
}

/// A block for each page.
fn encoded(pages: &[(u32, &[u8])], family: u32) -> Vec<u8> {
    let count = pages.len() as u32;
    let mut file = Vec::new();
    for (number, (address, page)) in (0u32..).zip(pages) {
        let end = file.len() + HEADER + DATA;
        let words = [HAS_FAMILY, *address, PAGE as u32, number, count, family];
        for word in HEAD.into_iter().chain(words) {
            file.extend_from_slice(&word.to_le_bytes());
        }
        file.extend_from_slice(page);
        file.resize(end - DATA + PAGE, 0xFF);
        file.resize(end, 0);
        file.extend_from_slice(&END.to_le_bytes());
    }
    file
}

/// Why a file is no UF2 that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// A block, counted from 0, is cut off, or its first or last numbers are others.
    Block(usize),
    /// This block says that it carries more bytes than a block holds, or none.
    Length(usize),
    /// This block has a number that another had, or that the file's count does not hold.
    Number(usize),
    /// Blocks are missing: so many of those that the file should have are there.
    Missing {
        /// Blocks that are there.
        found: u32,
        /// Blocks that the file says it has.
        wanted: u32,
    },
    /// This block is of another family than those before.
    Family(usize),
    /// Two blocks carry bytes for this address.
    Overlap(u32),
    /// Nothing in the file is for flash.
    Empty,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Block(number) => write!(f, "block {number} is cut off or damaged"),
            Error::Length(number) => {
                write!(f, "block {number} carries more bytes than a block holds, or none")
            }
            Error::Number(number) => write!(f, "block {number} has a number that is wrong or taken"),
            Error::Missing { found, wanted } => write!(f, "{found} of {wanted} blocks are there"),
            Error::Family(number) => write!(
                f,
                "block {number} is for chips of another family than those before"
            ),
            Error::Overlap(address) => write!(f, "two blocks are for address {address:#010x}"),
            Error::Empty => f.write_str("no block is for flash"),
        }
    }
}

impl core::error::Error for Error {}

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The chips that it is for, where it says so.
    pub family: Option<u32>,
    /// Bytes with the address of the first, in the order of addresses; parts that adjoin are one.
    pub parts: Vec<(u32, Vec<u8>)>,
}

/// Whether a file begins as UF2 does.
pub fn begins(file: &[u8]) -> bool {
    word(file, 0) == Some(HEAD[0]) && word(file, 4) == Some(HEAD[1])
}

/// Reads a file, whatever the order of its blocks.
///
/// # Errors
/// The first thing that is wrong with it. Blocks that are not for flash are left out.
pub fn read(file: &[u8]) -> Result<Content, Error> {
    let mut pages: BTreeMap<u32, &[u8]> = BTreeMap::new();
    let mut numbers: BTreeMap<u32, ()> = BTreeMap::new();
    let (mut family, mut wanted) = (None, None);
    for (index, block) in file.chunks(BLOCK).enumerate() {
        let word = |at| word(block, at);
        if word(0) != Some(HEAD[0]) || word(4) != Some(HEAD[1]) || word(BLOCK - 4) != Some(END) {
            return Err(Error::Block(index));
        }
        let [flags, address, len, number, count, kind] =
            [8, 12, 16, 20, 24, 28].map(|at| word(at).unwrap_or_default());
        if flags & NOT_FOR_FLASH != 0 {
            continue;
        }
        if *wanted.get_or_insert(count) != count || number >= count || numbers.insert(number, ()).is_some() {
            return Err(Error::Number(index));
        }
        let kind = (flags & HAS_FAMILY != 0).then_some(kind);
        if *family.get_or_insert(kind) != kind {
            return Err(Error::Family(index));
        }
        let data = block.get(HEADER..HEADER + DATA).unwrap_or_default();
        let data = data.get(..len as usize).filter(|data| !data.is_empty());
        if pages.insert(address, data.ok_or(Error::Length(index))?).is_some() {
            return Err(Error::Overlap(address));
        }
    }
    let (found, wanted) = (numbers.len() as u32, wanted.ok_or(Error::Empty)?);
    if found != wanted {
        return Err(Error::Missing { found, wanted });
    }
    let mut parts: Vec<(u32, Vec<u8>)> = Vec::new();
    for (address, page) in pages {
        match parts.last_mut() {
            Some((start, bytes)) => match u64::from(*start) + bytes.len() as u64 {
                end if end > u64::from(address) => return Err(Error::Overlap(address)),
                end if end == u64::from(address) => bytes.extend_from_slice(page),
                _ => parts.push((address, page.to_vec())),
            },
            None => parts.push((address, page.to_vec())),
        }
    }
    Ok(Content {
        family: family.flatten(),
        parts,
    })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn a_written_file_has_a_block_for_each_page() {
        let file = write(0x1000_0000, &[7; 300], RP2040);
        let blocks: Vec<&[u8]> = file.chunks(512).collect();
        let word = |block: usize, at: usize| word(blocks[block], at).unwrap();
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

    #[test]
    fn what_was_written_is_read_in_any_order() {
        let bytes: Vec<u8> = (0..2000u32).map(|it| it as u8).collect();
        let mut padded = bytes.clone();
        padded.resize(2048, 0xFF);
        let file = write(0x1000_0000, &bytes, RP2040);
        let turned: Vec<u8> = file.chunks(512).rev().flatten().copied().collect();
        for file in [file, turned] {
            assert!(begins(&file));
            let content = read(&file).unwrap();
            assert_eq!(content.family, Some(RP2040));
            assert_eq!(content.parts, [(0x1000_0000, padded.clone())]);
        }
    }

    #[test]
    fn parts_that_lie_apart_stay_apart() {
        let mut far = write(0x2000, &[2; 256], RP2040);
        let mut file = write(0x1000, &[1; 256], RP2040);
        // Two files of one block each become one of two.
        file[24] = 2;
        (far[20], far[24]) = (1, 2);
        let content = read(&[file, far].concat()).unwrap();
        assert_eq!(content.parts, [(0x1000, vec![1; 256]), (0x2000, vec![2; 256])]);
    }

    #[test]
    fn a_memory_is_written_in_whole_pages() {
        let mut memory = Memory::of(0x1000_00F0, vec![1; 32]).unwrap();
        memory.insert(0x1000_01F0, vec![2; 1]).unwrap();
        memory.insert(0x2000_0000, vec![3; 256]).unwrap();
        let content = read(&write_memory(&memory, RP2040)).unwrap();
        let [(at, page), (0x2000_0000, far)] = content.parts.as_slice() else {
            panic!("{content:?}");
        };
        assert_eq!((*at, page.len(), far), (0x1000_0000, 512, &vec![3; 256]));
        assert_eq!(page[0xF0..0x110], [1; 32]);
        assert_eq!(
            (page[0xEF], page[0x110], page[0x1F0], page[0x1F1]),
            (0xFF, 0xFF, 2, 0xFF)
        );
    }

    #[test]
    fn every_damage_has_its_name() {
        let good = write(0x1000, &[1; 600], RP2040);
        let with = |at: usize, value: u8| {
            let mut file = good.clone();
            file[at] = value;
            read(&file)
        };
        assert_eq!(read(&good[..1100]), Err(Error::Block(2)));
        assert_eq!(with(512, 0), Err(Error::Block(1)));
        assert_eq!(with(1023, 0), Err(Error::Block(1)));
        // 512 bytes of data, and none.
        assert_eq!(with(512 + 17, 2), Err(Error::Length(1)));
        assert_eq!(with(512 + 17, 0), Err(Error::Length(1)));
        assert_eq!(with(512 + 20, 0), Err(Error::Number(1)));
        assert_eq!(with(512 + 20, 3), Err(Error::Number(1)));
        assert_eq!(with(512 + 24, 4), Err(Error::Number(1)));
        assert_eq!(with(512 + 28, 0), Err(Error::Family(1)));
        // The second block is for the first one's page, and for its second half.
        assert_eq!(with(512 + 13, 0x10), Err(Error::Overlap(0x1000)));
        assert_eq!(with(512 + 12, 0x80), Err(Error::Overlap(0x1200)));
        let missing = Error::Missing { found: 2, wanted: 3 };
        assert_eq!(read(&good[..1024]), Err(missing));
        assert_eq!(read(&[]), Err(Error::Empty));
        // All blocks are comments, so to speak.
        let mut comments = good.clone();
        comments
            .iter_mut()
            .skip(8)
            .step_by(512)
            .for_each(|flags| *flags = 1);
        assert_eq!(read(&comments), Err(Error::Empty));
    }
}
