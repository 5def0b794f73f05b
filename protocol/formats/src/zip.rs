//! ZIP (PKWARE's APPNOTE 6.3.10), as far as packages of firmware need it: files as they are or deflated, no encryption, no ZIP64. The
//! central directory at the end says what there is; files are written as they are.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::sums::Sum;

/// What begins a file's own header, an entry of the directory, and the record at the end (4.3.7, 4.3.12, 4.3.16).
const LOCAL: u32 = 0x0403_4B50;
const ENTRY: u32 = 0x0201_4B50;
const END: u32 = 0x0605_4B50;
/// Bytes of those, without what follows: names, more fields, comments.
const LOCAL_LEN: usize = 30;
const ENTRY_LEN: usize = 46;
const END_LEN: usize = 22;
/// Compression methods (4.4.5).
const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// Why a file is no archive that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// It does not end as an archive does, or is cut off.
    NoArchive,
    /// Its directory and its files do not fit each other.
    Damaged,
    /// A file in it is encrypted.
    Encrypted,
    /// A file in it is compressed by this method.
    Method(u16),
    /// The files in it are larger than was asked for.
    TooLarge,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NoArchive => f.write_str("it is no ZIP archive, or is cut off"),
            Error::Damaged => f.write_str("it is damaged"),
            Error::Encrypted => f.write_str("it is encrypted"),
            Error::Method(method) => write!(f, "a file in it is compressed by method {method}"),
            Error::TooLarge => f.write_str("the files in it are too large"),
        }
    }
}

impl core::error::Error for Error {}

/// Whether a file begins as an archive does.
pub fn begins(file: &[u8]) -> bool {
    word(file, 0) == Some(LOCAL)
}

/// The files in an archive, with their names. Together they may have `most` bytes.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn read(archive: &[u8], most: usize) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let end = end(archive).ok_or(Error::NoArchive)?;
    let (count, mut at) = (half(archive, end + 10), word(archive, end + 16));
    let mut files = Vec::new();
    let mut room = most;
    for _ in 0..count.unwrap_or_default() {
        let entry = at.unwrap_or(u32::MAX) as usize;
        let (name, bytes, next) = file(archive, entry, room)?;
        room = room.saturating_sub(bytes.len());
        files.push((name, bytes));
        at = Some(next);
    }
    Ok(files)
}

/// Where the record at the end begins. A comment may follow it, which this one says how long it is.
fn end(archive: &[u8]) -> Option<usize> {
    let last = archive.len().checked_sub(END_LEN)?;
    let first = last.saturating_sub(usize::from(u16::MAX));
    (first..=last).rev().find(|at| {
        let comment = half(archive, at + 20).map(usize::from);
        word(archive, *at) == Some(END) && comment == Some(last - at)
    })
}

/// The file of the directory's entry that begins at `entry`, and where the next one begins.
fn file(archive: &[u8], entry: usize, most: usize) -> Result<(String, Vec<u8>, u32), Error> {
    let whole = archive.get(entry..).filter(|rest| rest.len() >= ENTRY_LEN);
    let head = whole.ok_or(Error::Damaged)?;
    if word(head, 0) != Some(ENTRY) {
        return Err(Error::Damaged);
    }
    let half_at = |at| usize::from(half(head, at).unwrap_or_default());
    let word_at = |at| word(head, at).unwrap_or_default();
    const ENCRYPTED: usize = 1;
    if half_at(8) & ENCRYPTED != 0 {
        return Err(Error::Encrypted);
    }
    let (method, crc) = (half_at(10) as u16, word_at(16));
    let (packed, len) = (word_at(20) as usize, word_at(24) as usize);
    let (name_len, more, comment) = (half_at(28), half_at(30), half_at(32));
    let name = head.get(ENTRY_LEN..ENTRY_LEN + name_len).ok_or(Error::Damaged)?;
    let name = String::from_utf8_lossy(name).into_owned();
    let next = entry + ENTRY_LEN + name_len + more + comment;
    if len > most {
        return Err(Error::TooLarge);
    }
    // Name and more fields of the file's own header may have other lengths.
    let local = archive.get(word_at(42) as usize..).ok_or(Error::Damaged)?;
    if word(local, 0) != Some(LOCAL) {
        return Err(Error::Damaged);
    }
    let before = [26, 28].map(|at| usize::from(half(local, at).unwrap_or_default()));
    let start = LOCAL_LEN + before.iter().sum::<usize>();
    let data = start.checked_add(packed).and_then(|end| local.get(start..end));
    let data = data.ok_or(Error::Damaged)?;
    let bytes = match method {
        STORED => data.to_vec(),
        DEFLATED => {
            miniz_oxide::inflate::decompress_to_vec_with_limit(data, len).map_err(|_| Error::Damaged)?
        }
        other => return Err(Error::Method(other)),
    };
    if bytes.len() != len || sum(&bytes) != crc {
        return Err(Error::Damaged);
    }
    Ok((name, bytes, u32::try_from(next).map_err(|_| Error::Damaged)?))
}

/// An archive of these files.
pub fn write(files: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in files {
        let at = archive.len() as u32;
        let (len, name_len) = (bytes.len() as u32, name.len() as u16);
        // Version 2.0; names in UTF-8; no time: 1 January 1980, the first day that there is.
        let mut common = Vec::new();
        [20, 1 << 11, STORED, 0, 0x0021]
            .iter()
            .for_each(|it: &u16| common.extend(it.to_le_bytes()));
        [sum(bytes), len, len]
            .iter()
            .for_each(|it| common.extend(it.to_le_bytes()));
        common.extend(name_len.to_le_bytes());
        archive.extend(LOCAL.to_le_bytes());
        archive.extend(&common);
        archive.extend([0; 2]);
        archive.extend(name.bytes());
        archive.extend(*bytes);
        directory.extend(ENTRY.to_le_bytes());
        directory.extend(20u16.to_le_bytes());
        directory.extend(&common);
        // No more fields, no comment, the first disk, no attributes.
        directory.extend([0; 12]);
        directory.extend(at.to_le_bytes());
        directory.extend(name.bytes());
    }
    let (at, count) = (archive.len() as u32, files.len() as u16);
    archive.extend(&directory);
    archive.extend(END.to_le_bytes());
    archive.extend([0; 4]);
    archive.extend(count.to_le_bytes());
    archive.extend(count.to_le_bytes());
    archive.extend((directory.len() as u32).to_le_bytes());
    archive.extend(at.to_le_bytes());
    archive.extend([0; 2]);
    archive
}

/// The CRC-32 of a file (4.4.7), which any bytes have.
fn sum(bytes: &[u8]) -> u32 {
    Sum::Crc32.of(bytes).unwrap_or_default()
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use alloc::vec;

    /// `hello.txt`, 300 times "ha", deflated by Python's zipfile, with a comment "made elsewhere".
    const DEFLATED_ELSEWHERE: &[u8] = include_bytes!("../tests/deflated.zip");

    #[test]
    fn what_was_written_is_read() {
        let files = [("a.bin", &[7; 700][..]), ("folder/b.dat", &[]), ("c", &[1, 2])];
        let archive = write(&files);
        assert!(begins(&archive));
        let read = read(&archive, 702).unwrap();
        let expected: Vec<(String, Vec<u8>)> = files
            .iter()
            .map(|(name, it)| ((*name).into(), it.to_vec()))
            .collect();
        assert_eq!(read, expected);
        assert_eq!(super::read(&archive, 701), Err(Error::TooLarge));
        assert_eq!(super::read(&write(&[]), 0), Ok(vec![]));
    }

    #[test]
    fn what_another_program_deflated_is_read() {
        let files = read(DEFLATED_ELSEWHERE, 1 << 20).unwrap();
        assert_eq!(files, [("hello.txt".into(), b"ha".repeat(300))]);
    }

    #[test]
    fn every_cut_and_every_other_bit_is_noticed_or_changes_no_file() {
        for archive in [
            write(&[("a.bin", &[7; 70]), ("b", &[1])]),
            DEFLATED_ELSEWHERE.to_vec(),
        ] {
            let whole = read(&archive, 4096).unwrap();
            for len in 0..archive.len() {
                assert!(read(&archive[..len], 4096).is_err(), "{len}");
            }
            for bit in 0..archive.len() * 8 {
                let mut other = archive.clone();
                other[bit / 8] ^= 1 << (bit % 8);
                if let Ok(files) = read(&other, 4096) {
                    let bytes = |files: &[(String, Vec<u8>)]| -> Vec<Vec<u8>> {
                        files.iter().map(|(_, bytes)| bytes.clone()).collect()
                    };
                    // Fewer files: their number is no part of any sum.
                    assert!(bytes(&whole).starts_with(&bytes(&files)), "{bit}");
                }
            }
        }
    }
}
