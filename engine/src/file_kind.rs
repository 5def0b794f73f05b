//! What a file is, by its first bytes. Every tool asks here, whatever it was given a file as.

use alloc::borrow::Cow;
use alloc::string::String;

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
    /// Firmware as another kind of text: TI-TXT, Verilog's memory files, Tektronix HEX.
    OtherHex,
    /// Microsoft's UF2.
    Uf2,
    /// An archive: ZIP, 7z, RAR, tar.
    Archive,
    /// Compressed: gzip, xz, bzip2, Zstandard, LZ4, LZMA.
    Compressed,
    /// A program for a computer or a browser: Windows', macOS', Java's, WebAssembly.
    Program,
    /// A document or a picture.
    Document,
    /// Firmware in the form of another bootloader: Espressif's, Silicon Labs' GBL, DfuSe, U-Boot's.
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
    /// An image in hexadecimal digits, with or without what `xxd`, `hexdump` or a C compiler wants beside them.
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
/// Images lie behind a bootloader at multiples of the smallest flash page.
const SMALLEST_PAGE: usize = 256;
/// As much of a file is looked at as text.
const TEXT_START: usize = 4096;
/// Comments before the first record.
const LINES_BEFORE_RECORDS: usize = 50;
/// Where a tar archive says that it is one.
const TAR_AT: usize = 257;

impl FileKind {
    /// Of the file with these bytes.
    pub fn of(file: &[u8]) -> Self {
        if file.is_empty() {
            return FileKind::Empty;
        }
        if file.iter().all(|byte| *byte == 0xFF) || file.iter().all(|byte| *byte == 0) {
            return FileKind::Blank;
        }
        if let Some((_, kind)) = MAGIC.iter().find(|(first, _)| file.starts_with(first)) {
            return *kind;
        }
        match file {
            _ if file.get(TAR_AT..).is_some_and(|rest| rest.starts_with(b"ustar")) => {
                return FileKind::Archive;
            }
            // Espressif's: a magic number and how many segments follow.
            [0xE9, 1..=16, ..] => return FileKind::OtherFirmware,
            // A key or a certificate in DER.
            [0x30, 0x81..=0x82, ..] | [0x30, 0x2a, 0x30, ..] | [0x30, 0x59, 0x30, ..] => {
                return FileKind::Key;
            }
            // zlib, as its three usual levels begin; a stack pointer may have these bytes too.
            [0x78, 0x01 | 0x9C | 0xDA, ..] if !has_vectors(file) => return FileKind::Compressed,
            // A Windows bitmap: its length follows.
            [b'B', b'M', rest @ ..] if rest.starts_with(&(file.len() as u32).to_le_bytes()) => {
                return FileKind::Document;
            }
            _ => {}
        }
        if let Some(text) = text_of(file) {
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

/// First bytes that belong to one kind.
const MAGIC: [(&[u8], FileKind); 43] = [
    (&IMAGE, FileKind::Image),
    (&0x96f3_b83d_u32.to_be_bytes(), FileKind::BigEndian),
    (&bootlace_delta::MAGIC, FileKind::Patch),
    (b"BSDIFF40", FileKind::OtherPatch),
    (b"ENDSLEY/BSDIFF43", FileKind::OtherPatch),
    (b"\xd6\xc3\xc4", FileKind::OtherPatch),
    (b"\x7fELF", FileKind::Elf),
    (b"UF2\n", FileKind::Uf2),
    (b"PK\x03\x04", FileKind::Archive),
    (b"PK\x05\x06", FileKind::Archive),
    (b"7z\xbc\xaf\x27\x1c", FileKind::Archive),
    (b"Rar!\x1a\x07", FileKind::Archive),
    (b"MSCF\0", FileKind::Archive),
    (b"!<arch>\n", FileKind::Archive),
    (b"\x1f\x8b", FileKind::Compressed),
    (b"\x1f\x9d", FileKind::Compressed),
    (b"\xfd7zXZ\0", FileKind::Compressed),
    (b"BZh", FileKind::Compressed),
    (b"LZIP\x01", FileKind::Compressed),
    (b"\x28\xb5\x2f\xfd", FileKind::Compressed),
    (b"\x04\x22\x4d\x18", FileKind::Compressed),
    (b"\x5d\0\0", FileKind::Compressed),
    (b"MZ", FileKind::Program),
    (b"\xce\xfa\xed\xfe", FileKind::Program),
    (b"\xcf\xfa\xed\xfe", FileKind::Program),
    // macOS' for several processors, and a class of Java.
    (b"\xca\xfe\xba\xbe", FileKind::Program),
    (b"\0asm", FileKind::Program),
    (b"%PDF-", FileKind::Document),
    (b"{\\rtf", FileKind::Document),
    (b"\x89PNG", FileKind::Document),
    (b"\xff\xd8\xff", FileKind::Document),
    (b"GIF8", FileKind::Document),
    (b"RIFF", FileKind::Document),
    (b"II*\0", FileKind::Document),
    (b"MM\0*", FileKind::Document),
    (b"SQLite format 3\0", FileKind::Document),
    (b"\xd0\xcf\x11\xe0", FileKind::Document),
    (b"DfuSe", FileKind::OtherFirmware),
    (b"\xeb\x17\xa6\x03", FileKind::OtherFirmware),
    // U-Boot's image, a device tree (its newer images are one), UBI, and Android's boot image.
    (b"\x27\x05\x19\x56", FileKind::OtherFirmware),
    (b"\xd0\x0d\xfe\xed", FileKind::OtherFirmware),
    (b"UBI#", FileKind::OtherFirmware),
    (b"ANDROID!", FileKind::OtherFirmware),
];

/// The start of a file as text, in UTF-8 or in UTF-16 of either order (as Windows' PowerShell writes it); `None` where the file is
/// no text.
fn text_of(file: &[u8]) -> Option<Cow<'_, str>> {
    let start = file.get(..TEXT_START.min(file.len())).unwrap_or_default();
    let order: Option<fn([u8; 2]) -> u16> = match start {
        [0xFF, 0xFE, ..] | [1..=0x7F, 0, 1..=0x7F, 0, ..] => Some(u16::from_le_bytes),
        [0xFE, 0xFF, ..] | [0, 1..=0x7F, 0, 1..=0x7F, ..] => Some(u16::from_be_bytes),
        _ => None,
    };
    let text = match order {
        Some(order) => {
            let units = start
                .chunks_exact(2)
                .filter_map(|pair| pair.try_into().ok().map(order));
            // A character may be cut in two at the end.
            Cow::Owned(
                char::decode_utf16(units)
                    .map_while(Result::ok)
                    .collect::<String>(),
            )
        }
        None => match core::str::from_utf8(start) {
            Ok(text) => Cow::Borrowed(text),
            // The same.
            Err(error) if error.error_len().is_none() => {
                Cow::Borrowed(core::str::from_utf8(start.get(..error.valid_up_to())?).ok()?)
            }
            Err(_) => return None,
        },
    };
    Some(text).filter(|text| !text.contains('\0'))
}

fn of_text(text: &str) -> FileKind {
    let lower = text.to_ascii_lowercase();
    let begins = |with: &[&str]| with.iter().any(|with| lower.starts_with(with));
    if begins(&["version https://git-lfs.github.com/spec/"]) {
        FileKind::GitLfs
    } else if begins(&["---- begin ", "ssh-", "ecdsa-sha2-"]) || text.contains("-----BEGIN ") {
        FileKind::Key
    } else if lower.contains("<svg") && begins(&["<svg", "<?xml", "<!doctype svg", "<!--"]) {
        FileKind::Document
    } else if begins(&["<!doctype html", "<html", "<head", "<body", "<?xml"]) {
        FileKind::Html
    } else if is_json(text) {
        FileKind::Json
    // The magic number of an image, behind a "data:" address or not.
    } else if text.starts_with("Pbjzl") || text.contains(";base64,Pbjzl") {
        FileKind::Base64
    } else if begins(&["3db8f396"]) || IN_DIGITS.iter().any(|digits| lower.contains(digits)) {
        FileKind::HexDump
    } else {
        of_records(text)
    }
}

/// The magic number of an image as programs print bytes: in bytes, in words of either order, for a compiler.
const IN_DIGITS: [&str; 5] = [
    "3d b8 f3 96",
    ": 3db8 f396",
    " b83d 96f3",
    "0x3d, 0xb8, 0xf3, 0x96",
    "0x3d,0xb8,0xf3,0x96",
];

/// Whether a text begins as JSON does, and not as RTF, TOML or INI do.
fn is_json(text: &str) -> bool {
    let first = text.trim_start_matches(|c: char| c == '[' || c.is_whitespace());
    if let Some(object) = first.strip_prefix('{') {
        return object.trim_start().starts_with(['"', '}']);
    }
    let is_value = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '"' | '-' | ']'))
            || ["true,", "false,", "null,"]
                .iter()
                .any(|value| text.starts_with(value))
    };
    text.starts_with('[') && is_value(first)
}

/// Firmware in lines of digits; comments and names may stand before them.
fn of_records(text: &str) -> FileKind {
    let digits = |text: &str, least: usize| {
        let text = text.trim_end();
        text.len() >= least && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    for line in lines.take(LINES_BEFORE_RECORDS) {
        if line.strip_prefix(':').is_some_and(|rest| digits(rest, 10)) {
            return FileKind::Hex;
        }
        if line.strip_prefix(['S', 's']).is_some_and(|rest| digits(rest, 8)) {
            return FileKind::Srec;
        }
        if line.strip_prefix(['@', '%']).is_some_and(|rest| digits(rest, 4)) {
            return FileKind::OtherHex;
        }
    }
    FileKind::Text
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
    use std::vec::Vec;

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
        let wide = |text: &str, to: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(to).collect::<Vec<u8>>();
        let bom_and_hex = wide("\u{FEFF}:020000040800F2\r\n", u16::to_be_bytes);
        let wide_srec = wide("S0130000626F6F74\n", u16::to_le_bytes);
        let cases: [(&[u8], FileKind); 64] = [
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
            (b"{\\rtf1\\ansi", FileKind::Document),
            (b"<svg xmlns=", FileKind::Document),
            (b"<?xml version='1.0'?>\n<svg>", FileKind::Document),
            (b"<?xml version='1.0'?>\n<Error>", FileKind::Html),
            (b"\0asm\x01\0\0\0", FileKind::Program),
            (b"\xca\xfe\xba\xbe\0\0", FileKind::Program),
            (b"BM\x0a\0\0\0\0\0\0\0", FileKind::Document),
            (b"LZIP\x01", FileKind::Compressed),
            (b"\x78\x9c\x03", FileKind::Compressed),
            (b"\x78\x9c\0\x20\x01\x02\0\x08", FileKind::Bare),
            (b"\xd0\x0d\xfe\xed\0", FileKind::OtherFirmware),
            (b"[package]\nname = 'a'", FileKind::Text),
            (b"[[bin]]\nname = 'a'", FileKind::Text),
            (b"[true]\nkey = 1", FileKind::Text),
            (b"[ [1, 2] ]", FileKind::Json),
            (b"[]", FileKind::Json),
            (b"[true, false]", FileKind::Json),
            (b"[\n  {\n    \"slot\": 0", FileKind::Json),
            (b"{\n  \"format-version\"", FileKind::Json),
            (b"{ 'not': 'JSON' }", FileKind::Text),
            (b"s0130000626f6f74\n", FileKind::Srec),
            (b"# made by srec_cat\n\n:020000040800F2\n", FileKind::Hex),
            (b"; build 17\r\nS0130000626F6F74\r\n", FileKind::Srec),
            (b"Note: a line with a colon\n: deadbeef is none", FileKind::Text),
            (b"@8000\n31 40 00 44\n", FileKind::OtherHex),
            (b"%3A6C180000004F\n", FileKind::OtherHex),
            (&bom_and_hex, FileKind::Hex),
            (&wide_srec, FileKind::Srec),
            (b"00000000  3d b8 f3 96 00 00", FileKind::HexDump),
            (b"0000000 b83d 96f3 0000", FileKind::HexDump),
            (
                b"unsigned char image[] = {\n  0x3d, 0xb8, 0xf3, 0x96,",
                FileKind::HexDump,
            ),
            (b"PbjzlgAABAAAAgAA", FileKind::Base64),
            (b"data:;base64,PbjzlgAAAAAAAgAA", FileKind::Base64),
            (b"pbjzl is no base64 of it", FileKind::Text),
            ("Bootlace für Boards".as_bytes(), FileKind::Text),
        ];
        for (file, kind) in cases {
            assert_eq!(FileKind::of(file), kind, "{:02x?}", file.get(..8.min(file.len())));
        }
        assert_eq!(FileKind::of(b"#!/bin/sh"), FileKind::Text);
        assert_eq!(FileKind::of(&[0x80, 0x01, 0x02, 0x03]), FileKind::Unknown);
    }
}
