//! What a file is, by its first bytes. Every tool asks here, whatever it was given a file as.

use bootlace_image::Image;

/// A kind of file that people take for a signed image, a key or a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum FileKind {
    /// An image, whole or not.
    Image,
    /// Nothing is in it.
    Empty,
    /// Nothing but erased or zeroed bytes.
    Blank,
    /// A linker's output.
    Elf,
    /// Intel HEX.
    Hex,
    /// Motorola S-records.
    Srec,
    /// Microsoft's UF2.
    Uf2,
    /// An archive: ZIP, 7z, RAR, tar.
    Archive,
    /// Compressed: gzip, xz, bzip2, Zstandard, LZ4, LZMA.
    Compressed,
    /// A program for a computer: Windows' or macOS'.
    Program,
    /// A document or a picture.
    Document,
    /// Firmware in the form of another bootloader: Espressif's, Silicon Labs' GBL, DfuSe.
    OtherFirmware,
    /// JSON.
    Json,
    /// A web page, such as an error that was saved.
    Html,
    /// The pointer that Git LFS leaves in place of a file.
    GitLfs,
    /// A key or certificate in PEM.
    Key,
    /// A patch of this project.
    Patch,
    /// A patch of another kind: bsdiff, VCDIFF.
    OtherPatch,
    /// An image in base64.
    Base64,
    /// An image in hexadecimal digits, with or without what `xxd` puts beside them.
    HexDump,
    /// So many bytes as a digest has, or a key without its form.
    Digest,
    /// An image whose numbers are big-endian.
    BigEndian,
    /// An image behind something else, at this byte: a bootloader and the image in one file.
    Behind(u32),
    /// Firmware with a vector table and without an image's header: not signed yet.
    Bare,
    /// Text of another kind.
    Text,
    /// None of these.
    Unknown,
}

/// First bytes of an image.
pub(crate) const IMAGE: [u8; 4] = 0x96f3_b83d_u32.to_le_bytes();
/// "BEGIN" in UTF-16 of either order, without the zero at one end.
const WIDE_BEGIN: &[u8] = b"B\0E\0G\0I\0N";
/// Images lie behind a bootloader at multiples of the smallest flash page.
const SMALLEST_PAGE: usize = 256;
/// Where a tar archive says that it is one.
const TAR_AT: usize = 257;

impl FileKind {
    /// Of the file with these bytes.
    pub fn of(file: &[u8]) -> Self {
        let starts = |with: &[u8]| file.starts_with(with);
        let text = core::str::from_utf8(file.get(..4096.min(file.len())).unwrap_or_default());
        // A character may be cut off at the end.
        let text = match text {
            Ok(text) => Some(text),
            Err(error) => file
                .get(..error.valid_up_to())
                .filter(|_| error.error_len().is_none())
                .and_then(|start| core::str::from_utf8(start).ok()),
        };
        if file.is_empty() {
            return FileKind::Empty;
        }
        if file.iter().all(|byte| *byte == 0xFF) || file.iter().all(|byte| *byte == 0) {
            return FileKind::Blank;
        }
        let known: [(&[u8], FileKind); 27] = [
            (&IMAGE, FileKind::Image),
            (b"\x7fELF", FileKind::Elf),
            (b"UF2\n", FileKind::Uf2),
            (b"PK\x03\x04", FileKind::Archive),
            (b"PK\x05\x06", FileKind::Archive),
            (b"7z\xbc\xaf\x27\x1c", FileKind::Archive),
            (b"Rar!\x1a\x07", FileKind::Archive),
            (b"\x1f\x8b", FileKind::Compressed),
            (b"\xfd7zXZ\0", FileKind::Compressed),
            (b"BZh", FileKind::Compressed),
            (b"\x28\xb5\x2f\xfd", FileKind::Compressed),
            (b"\x04\x22\x4d\x18", FileKind::Compressed),
            (b"\x5d\0\0", FileKind::Compressed),
            (b"MZ", FileKind::Program),
            (b"\xcf\xfa\xed\xfe", FileKind::Program),
            (b"%PDF-", FileKind::Document),
            (b"\x89PNG", FileKind::Document),
            (b"\xff\xd8\xff", FileKind::Document),
            (b"GIF8", FileKind::Document),
            (b"\xd0\xcf\x11\xe0", FileKind::Document),
            (b"DfuSe", FileKind::OtherFirmware),
            (b"\xeb\x17\xa6\x03", FileKind::OtherFirmware),
            (&bootlace_delta::MAGIC, FileKind::Patch),
            (b"BSDIFF40", FileKind::OtherPatch),
            (b"ENDSLEY/BSDIFF43", FileKind::OtherPatch),
            (b"\xd6\xc3\xc4", FileKind::OtherPatch),
            (&0x96f3_b83d_u32.to_be_bytes(), FileKind::BigEndian),
        ];
        if let Some((_, kind)) = known.iter().find(|(first, _)| starts(first)) {
            return *kind;
        }
        if file.get(TAR_AT..).is_some_and(|rest| rest.starts_with(b"ustar")) {
            return FileKind::Archive;
        }
        // Espressif's: a magic number and how many segments follow.
        if let [0xE9, 1..=16, ..] = file {
            return FileKind::OtherFirmware;
        }
        // A key or a certificate in DER.
        if let [0x30, 0x81..=0x82, ..] | [0x30, 0x2a, 0x30, ..] | [0x30, 0x59, 0x30, ..] = file {
            return FileKind::Key;
        }
        if starts(&[0xFF, 0xFE]) || starts(&[0xFE, 0xFF]) {
            let begins = file.windows(WIDE_BEGIN.len()).any(|part| part == WIDE_BEGIN);
            return if begins { FileKind::Key } else { FileKind::Text };
        }
        if let Some(text) = text.filter(|text| !text.contains('\0')) {
            return of_text(text.trim_start_matches('\u{FEFF}').trim_start());
        }
        if let Some(at) = behind(file) {
            return FileKind::Behind(at);
        }
        match file.len() {
            _ if has_vectors(file) => FileKind::Bare,
            32 | 64 => FileKind::Digest,
            _ => FileKind::Unknown,
        }
    }
}

fn of_text(text: &str) -> FileKind {
    let digits = |text: &str| text.len() >= 8 && text.bytes().take(8).all(|byte| byte.is_ascii_hexdigit());
    let lower = text
        .get(..14.min(text.len()))
        .unwrap_or_default()
        .to_ascii_lowercase();
    if text.strip_prefix(':').is_some_and(digits) {
        FileKind::Hex
    } else if text.strip_prefix('S').is_some_and(digits) {
        FileKind::Srec
    } else if text.starts_with("version https://git-lfs.github.com/spec/") {
        FileKind::GitLfs
    } else if ["-----BEGIN ", "---- BEGIN ", "ssh-", "ecdsa-sha2-"]
        .iter()
        .any(|begin| text.starts_with(begin))
        || text.contains("-----BEGIN ")
    {
        FileKind::Key
    } else if lower.starts_with("<!doctype html") || lower.starts_with("<html") || lower.starts_with("<?xml")
    {
        FileKind::Html
    } else if text.starts_with(['{', '[']) {
        FileKind::Json
    } else if text.starts_with("PbjzlgAAAA") {
        // The magic number of an image and a load address of 0.
        FileKind::Base64
    } else if lower.starts_with("3db8f396") || lower.contains(": 3db8") {
        FileKind::HexDump
    } else {
        FileKind::Text
    }
}

/// Where a whole image begins that is not at the file's start.
fn behind(file: &[u8]) -> Option<u32> {
    let places = (SMALLEST_PAGE..file.len()).step_by(SMALLEST_PAGE);
    let at = places
        .filter(|at| file.get(*at..).is_some_and(|rest| rest.starts_with(&IMAGE)))
        .find(|at| {
            file.get(*at..)
                .is_some_and(|mut rest| Image::read(&mut rest).is_ok())
        })?;
    u32::try_from(at).ok()
}

/// A stack pointer into RAM, and a reset vector of Thumb code.
fn has_vectors(file: &[u8]) -> bool {
    let word = |at: usize| Some(u32::from_le_bytes(*file.get(at..)?.first_chunk()?));
    let (Some(stack), Some(reset)) = (word(0), word(4)) else {
        return false;
    };
    (0x1000_0000..0x4000_0000).contains(&stack) && stack % 4 == 0 && reset & 1 == 1 && reset < 0x2000_0000
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;

    #[test]
    fn a_file_is_named_by_its_first_bytes() {
        let image = include_bytes!("../../protocol/image/tests/data/p256.bin");
        let mut behind = vec![0xAA; 0x2000];
        behind.extend_from_slice(image);
        let mut bare = vec![0; 64];
        bare[..8].copy_from_slice(&[0, 0, 1, 0x20, 0x01, 0x02, 0, 8]);
        let mut tar = vec![0; 512];
        tar[..5].copy_from_slice(b"a.bin");
        tar[257..262].copy_from_slice(b"ustar");
        let cases: [(&[u8], FileKind); 29] = [
            (image, FileKind::Image),
            (&image[..8], FileKind::Image),
            (&tar, FileKind::Archive),
            (b"MZ\x90\0", FileKind::Program),
            (b"%PDF-1.7", FileKind::Document),
            (b"DfuSe\x01", FileKind::OtherFirmware),
            (b"ssh-ed25519 AAAAC3", FileKind::Key),
            (b"3db8f396000000000002", FileKind::HexDump),
            (b"00000000: 3db8 f396 0000 0000", FileKind::HexDump),
            (&[0x9A; 32], FileKind::Digest),
            (b"", FileKind::Empty),
            (&[0xFF; 100], FileKind::Blank),
            (b"\x7fELF\x01\x01\x01", FileKind::Elf),
            (b":020000040800F2\r\n", FileKind::Hex),
            (b"S0130000626F6F74", FileKind::Srec),
            (b"UF2\nWQ]\x9e", FileKind::Uf2),
            (b"PK\x03\x04\x14\0", FileKind::Archive),
            (b"\x1f\x8b\x08\0", FileKind::Compressed),
            (b"{\"manifest\": []}", FileKind::Json),
            (b"\n<!DOCTYPE html><html>", FileKind::Html),
            (
                b"version https://git-lfs.github.com/spec/v1\noid",
                FileKind::GitLfs,
            ),
            (b"-----BEGIN PUBLIC KEY-----\nMF", FileKind::Key),
            (b"\xff\xfe-\0-\0-\0-\0-\0B\0E\0G\0I\0N\0 \0X\0", FileKind::Key),
            (&[0xB1, 0xDE, 1, 0], FileKind::Patch),
            (b"BSDIFF40", FileKind::OtherPatch),
            (b"PbjzlgAAAAAAAgAA", FileKind::Base64),
            (&[0x96, 0xf3, 0xb8, 0x3d, 0, 0], FileKind::BigEndian),
            (&behind, FileKind::Behind(0x2000)),
            (&bare, FileKind::Bare),
        ];
        for (file, kind) in cases {
            assert_eq!(FileKind::of(file), kind, "{:02x?}", file.get(..8.min(file.len())));
        }
        assert_eq!(FileKind::of(b"#!/bin/sh"), FileKind::Text);
        assert_eq!(FileKind::of(&[0x80, 0x01, 0x02, 0x03]), FileKind::Unknown);
    }
}
