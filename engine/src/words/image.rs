//! What is said about image files and keys.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt::Display;

use bootlace_image::{Algorithm, FormatError, KeyError, OtherKey, Refusal, TlvKind};

use super::{Sentence, short, tlv};
use crate::FileKind;

/// Why a file is no image.
pub(super) fn format_error(error: &FormatError) -> Sentence {
    let damaged = (
        "Copy or download the file again. If it stays like this, get another one from your firmware supplier.",
        Some("Sign the firmware again with imgtool."),
    );
    let (name, what, next) = match error {
        FormatError::NotAnImage { .. } => (
            "NotAnImage",
            "This file is no MCUboot image.".to_string(),
            (
                "Choose the signed firmware image (often signed.bin), not the bare firmware, an ELF or a HEX file.",
                Some("“imgtool sign” writes the signed image."),
            ),
        ),
        FormatError::Truncated { needed, available } => (
            "Truncated",
            format!(
                "The file ends too early: the image needs at least {needed} bytes, and there are {available}."
            ),
            damaged,
        ),
        FormatError::HeaderSize { size } => (
            "HeaderSize",
            format!("The image is damaged: its header claims {size} bytes."),
            damaged,
        ),
        FormatError::ProtectedSize { header, area } => (
            "ProtectedSize",
            format!(
                "The image is damaged: its header promises {header} bytes of protected fields, and there are {area}."
            ),
            damaged,
        ),
        FormatError::TlvMagic { found } => (
            "TlvMagic",
            format!("The image is damaged: its signature block starts with {found:#06x}."),
            damaged,
        ),
        FormatError::TlvOverrun { offset } => (
            "TlvOverrun",
            format!("The image is damaged: the field at byte {offset} reaches past its end."),
            damaged,
        ),
        FormatError::TlvLength { kind, len } => (
            "TlvLength",
            format!(
                "The image is damaged: its {} field can't be {len} bytes long.",
                tlv(*kind)
            ),
            damaged,
        ),
        FormatError::DuplicateTlv { kind } => (
            "DuplicateTlv",
            format!("The image has two {} fields; only one makes sense.", tlv(*kind)),
            (
                "Get another file from your firmware supplier.",
                Some("Sign the firmware again with imgtool."),
            ),
        ),
        FormatError::TooManyTlvs { most } => (
            "TooManyTlvs",
            format!("The image has more than {most} fields behind its firmware: no board reads that many."),
            (
                "Get another file from your firmware supplier.",
                Some("Sign the firmware again with imgtool."),
            ),
        ),
        _ => ("Image", "The image is damaged.".into(), damaged),
    };
    let (next, developers) = next;
    Sentence::new(name, what, next).for_developers(developers)
}

/// What a file is that is no image.
pub(super) fn wrong_file(kind: FileKind) -> Sentence {
    let signed = "Choose the signed image, which “imgtool sign” writes as a .bin file.";
    let (name, what, next) = named_file(kind);
    Sentence::new(name, what, next.unwrap_or(signed))
}

/// What a file is that was given as a key.
pub(super) fn no_key_file(kind: FileKind) -> Sentence {
    let (name, what) = match kind {
        FileKind::Key => ("UnreadableKey", "This is a key in a form that is not read here."),
        FileKind::Text | FileKind::Unknown => ("NotAKey", ""),
        kind => {
            let (name, what, _) = named_file(kind);
            (name, what)
        }
    };
    let what = format!("This file holds no public key. {what}");
    let next = "Choose the signer’s public key, which “imgtool getpub --encoding pem --key KEY.pem” writes.";
    Sentence::new(name, what.trim_end(), next)
}

/// What a file is that was given as a patch.
pub(super) fn no_patch_file(kind: FileKind) -> Sentence {
    let (name, what, _) = match kind {
        FileKind::Text | FileKind::Unknown => ("NoPatch", "", None),
        kind => named_file(kind),
    };
    let what = format!("This file is no patch. {what}");
    Sentence::new(
        name,
        what.trim_end(),
        "Choose a patch, which “bootlace delta make” writes.",
    )
}

/// A kind of file: its name, what it is, and the next step to take where that is not to choose another file.
fn named_file(kind: FileKind) -> (&'static str, &'static str, Option<&'static str>) {
    match kind {
        FileKind::Image => ("ImageFile", "This is an image.", None),
        FileKind::Empty => (
            "EmptyFile",
            "This file is empty.",
            Some("Copy or download the file again."),
        ),
        FileKind::Blank => ("BlankFile", "This file holds nothing but erased flash.", None),
        FileKind::Elf => (
            "ElfFile",
            "This is an ELF file, as a linker writes it: it is not signed.",
            None,
        ),
        FileKind::Hex => (
            "HexFile",
            "This is an Intel HEX file. It may hold a signed image, but boards take the binary form.",
            Some(
                "Let “imgtool sign” write a .bin file, or convert it: “objcopy -I ihex -O binary IN.hex OUT.bin”.",
            ),
        ),
        FileKind::Srec => (
            "SrecFile",
            "This is a file of S-records. It may hold a signed image, but boards take the binary form.",
            Some(
                "Let “imgtool sign” write a .bin file, or convert it: “objcopy -I srec -O binary IN.srec OUT.bin”.",
            ),
        ),
        FileKind::OtherHex => (
            "OtherHexFile",
            "This is firmware as text (TI-TXT, Verilog or Tektronix HEX). Boards take the binary form.",
            Some("Let “imgtool sign” write a .bin file, or convert it with “srec_cat”."),
        ),
        FileKind::Uf2 => (
            "Uf2File",
            "This is a UF2 file, for boards that show up as a drive.",
            Some("Copy it to that drive, or choose the signed image in its binary form."),
        ),
        FileKind::Archive => (
            "ArchiveFile",
            "This is an archive (ZIP or alike): the image may be in it.",
            Some("Unpack it and choose the signed image (often app_update.bin or signed.bin)."),
        ),
        FileKind::Compressed => (
            "CompressedFile",
            "This file is compressed.",
            Some("Unpack it and choose the signed image."),
        ),
        FileKind::Program => (
            "ProgramFile",
            "This is a program for a computer or a browser.",
            None,
        ),
        FileKind::Document => ("DocumentFile", "This is a document or a picture.", None),
        FileKind::OtherFirmware => (
            "OtherFirmware",
            "This is firmware in the form of another bootloader.",
            None,
        ),
        FileKind::Json => ("JsonFile", "This is a JSON file, such as a manifest.", None),
        FileKind::Html => (
            "WebPage",
            "This is a web page, not a file of firmware: the download did not work.",
            Some("Download the file itself, as “raw”, or sign in first."),
        ),
        FileKind::GitLfs => (
            "GitLfsPointer",
            "This is the pointer that Git LFS leaves in place of a file.",
            Some("Fetch the file itself: “git lfs pull”."),
        ),
        FileKind::Key => (
            "KeyFile",
            "This is a key or a certificate, not an image. It was not added to the keys that are trusted.",
            Some(
                "Choose the signed image here. A key is added where keys are: under “Trusted keys” on the page, with \
                 --key on the command line.",
            ),
        ),
        FileKind::Patch => (
            "PatchFile",
            "This is a patch: it says how an image differs from another one.",
            Some(
                "Choose the whole new image. Where the board’s image is at hand, a patch is made by itself.",
            ),
        ),
        FileKind::OtherPatch => (
            "OtherPatchFile",
            "This is a patch of another kind (bsdiff or VCDIFF).",
            None,
        ),
        FileKind::Base64 => (
            "Base64File",
            "This is an image in base64.",
            Some("Convert it: “base64 -d IN > OUT.bin”."),
        ),
        FileKind::HexDump => (
            "HexDump",
            "This is an image in hexadecimal digits.",
            Some("Convert it: “xxd -r IN OUT.bin” (bare digits: “xxd -r -p”)."),
        ),
        FileKind::Digest => (
            "DigestFile",
            "This file has just the bytes of a digest, or of a key without its form.",
            None,
        ),
        FileKind::BigEndian => (
            "BigEndianImage",
            "This image was signed with its numbers in big-endian order.",
            Some("Sign it again without “--endian big”."),
        ),
        FileKind::Behind(_) => (
            "ImageBehind",
            "An image lies in this file behind something else: it is a bootloader and the image in one.",
            Some("Choose the file of the image alone. The whole one is for a debug probe."),
        ),
        FileKind::Bare => (
            "BareFirmware",
            "This is firmware that is not signed yet: it has a vector table and no header.",
            Some("Sign it: “imgtool sign --key KEY.pem --header-size 0x200 --pad-header …”."),
        ),
        FileKind::Text | FileKind::Unknown => ("NotAnImage", "This file is no MCUboot image.", None),
    }
}

/// Why an image is not to be trusted or can't be run.
pub fn refusal(refusal: &Refusal) -> Sentence {
    let (name, what, next) = match refusal {
        Refusal::Altered => (
            "Altered",
            "The image was altered or damaged after it was signed.".to_string(),
            (
                "Get it again from your firmware supplier. If it stays like this, don’t use it.",
                None,
            ),
        ),
        Refusal::NoDigest => (
            "NoDigest",
            "The image carries no digest, so nothing can be said about it.".to_string(),
            (
                "Get another file from your firmware supplier.",
                Some("Sign the firmware again with imgtool."),
            ),
        ),
        Refusal::Unsigned => (
            "Unsigned",
            "The image is not signed.".to_string(),
            (
                "Get a signed file from your firmware supplier.",
                Some("Sign it: “imgtool sign --key KEY.pem …”."),
            ),
        ),
        Refusal::UnknownSigner { key_hash } => (
            "UnknownSigner",
            match key_hash {
                Some(hash) => format!(
                    "The image was signed with a key that is not trusted here ({}).",
                    short(hash)
                ),
                None => "The image does not say which key it was signed with.".to_string(),
            },
            (
                "Compare with the fingerprint that your firmware supplier names. Use the public key that belongs to this \
                 image, or the image that was signed with your key.",
                None,
            ),
        ),
        Refusal::BadSignature { key_hash } => (
            "BadSignature",
            format!(
                "The image names the key {}, but the signature is not of that key.",
                short(key_hash)
            ),
            (
                "Don’t use this image. Get it again from your firmware supplier.",
                None,
            ),
        ),
        Refusal::DevelopmentKey { key_hash } => (
            "DevelopmentKey",
            format!(
                "The image was signed with a test key ({}) whose private half is published: anybody can sign with it.",
                short(key_hash)
            ),
            (
                "Get a file that your firmware supplier signed with a key of their own. For a trial on a desk, accept test \
                 keys.",
                Some("Sign with a key of your own (“imgtool keygen”)."),
            ),
        ),
        Refusal::RepeatedSigner { key_hash } => (
            "RepeatedSigner",
            format!(
                "The image carries two signatures that name the key {}; one is enough, and somebody may have added the other.",
                short(key_hash)
            ),
            (
                "Don’t use this image. Get another one from your firmware supplier.",
                Some("Sign the firmware again with imgtool."),
            ),
        ),
        Refusal::UnprotectedTlv { kind } => (
            "UnprotectedTlv",
            format!(
                "The image has a {} field outside of what its signature covers.",
                tlv(*kind)
            ),
            (
                "Don’t use this image: somebody may have added the field. Get another one from your firmware supplier.",
                Some("Sign the firmware again with imgtool."),
            ),
        ),
        Refusal::Encrypted => (
            "Encrypted",
            "The image is encrypted.".to_string(),
            (
                "Get an image that is not encrypted: encrypted images are not supported yet.",
                Some("Sign without “--encrypt”."),
            ),
        ),
        Refusal::Compressed => (
            "Compressed",
            "The image is compressed.".to_string(),
            (
                "Get an image that is not compressed.",
                Some("Sign without “--compression”."),
            ),
        ),
        Refusal::NonBootable => (
            "NonBootable",
            "The image is marked as not to be started.".to_string(),
            (
                "Get an image that the board can start.",
                Some("Sign without “--non-bootable”."),
            ),
        ),
        Refusal::RamLoad => (
            "RamLoad",
            "The image wants to run from RAM, which the bootloader does not do.".to_string(),
            (
                "Get an image that runs from flash.",
                Some("Sign without “--load-addr”."),
            ),
        ),
        Refusal::UnsupportedDigest { kind } => (
            "UnsupportedDigest",
            format!("The image's digest is a {}, which is not supported.", tlv(*kind)),
            (
                "Get another file from your firmware supplier.",
                Some("Sign it with SHA-256 (“imgtool sign --sha 256”)."),
            ),
        ),
        Refusal::UnsupportedSignature { kind } => (
            "UnsupportedSignature",
            format!(
                "The image's signature is a {} of a kind that is not supported.",
                tlv(*kind)
            ),
            (
                "Get another file from your firmware supplier.",
                Some("Sign it with an ECDSA P-256, Ed25519, RSA-2048 or RSA-3072 key."),
            ),
        ),
        _ => (
            "Refused",
            "The image is refused.".into(),
            ("Get it again from your firmware supplier.", None),
        ),
    };
    let (next, developers) = next;
    Sentence::new(name, what, next).for_developers(developers)
}

/// An image was signed with a key whose private half is published as `file`.
pub fn published_key(key_hash: &[u8; 32], file: &str) -> Sentence {
    let it = refusal(&Refusal::DevelopmentKey { key_hash: *key_hash });
    Sentence {
        what: format!(
            "The image was signed with a test key ({}) whose private half is published ({file}): anybody can sign with \
             it.",
            short(key_hash)
        ),
        ..it
    }
}

/// The key in the file at `path` is a test key, whose private half is published as `file`.
pub fn test_key(path: impl Display, file: &str) -> String {
    format!("{path} is a test key whose private half is published ({file}): anybody can sign with it")
}

/// Why a key can't be used.
pub(super) fn key_error(error: &KeyError) -> Sentence {
    let getpub = "Choose the public key, which “imgtool getpub --encoding pem --key KEY.pem” writes.";
    let (name, what, next) = match error {
        KeyError::PrivateKey => (
            "PrivateKey",
            "This is a private key. It must not leave the place where images are signed.".to_string(),
            "Make its public half with “imgtool getpub --encoding pem --key KEY.pem” and use that.",
        ),
        KeyError::Certificate => (
            "Certificate",
            "This is a certificate, or a request for one.".to_string(),
            "Take the key out of it: “openssl x509 -in IN.pem -noout -pubkey”.",
        ),
        KeyError::Damaged => (
            "DamagedKey",
            "This public key is damaged or cut off.".to_string(),
            "Copy or download it again.",
        ),
        KeyError::Unsupported(other) => (
            "UnsupportedKey",
            match other {
                OtherKey::P384 => "This is a P-384 key.".to_string(),
                OtherKey::X25519 => "This is an X25519 key: it encrypts images, and signs none.".to_string(),
                OtherKey::Rsa { bits } => format!("This is an RSA key of {bits} bits."),
                OtherKey::Other => "This key is of an algorithm or curve that is not supported.".to_string(),
            },
            "Use the key that images are signed with: ECDSA P-256, Ed25519, RSA-2048 or RSA-3072.",
        ),
        _ => ("NotAKey", "This file holds no public key.".to_string(), getpub),
    };
    Sentence::new(name, what, next)
}

/// What people call a key's algorithm.
pub fn algorithm(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::P256 => "ECDSA P-256",
        Algorithm::Ed25519 => "Ed25519",
        Algorithm::Rsa2048 => "RSA-2048",
        Algorithm::Rsa3072 => "RSA-3072",
        _ => "an algorithm without a name here",
    }
}

/// What people call a signature's algorithm.
pub fn signature_kind(kind: TlvKind) -> &'static str {
    match kind {
        TlvKind::ECDSA => "ECDSA",
        TlvKind::ED25519 => "Ed25519",
        TlvKind::RSA2048 => "RSA-2048",
        TlvKind::RSA3072 => "RSA-3072",
        _ => "not supported",
    }
}
