//! What is said when an image is signed.

use alloc::format;
use alloc::string::String;
use core::fmt::Display;

use bootlace_image::Version;

use super::Sentence;

/// The private key wants a passphrase.
pub fn key_with_passphrase(path: impl Display) -> Sentence {
    Sentence::new(
        "KeyWithPassphrase",
        format!("{path} is protected by a passphrase, which is not asked for here."),
        "Sign with imgtool, or write the key without a passphrase where nobody else can read it: “openssl pkey -in KEY.pem -out PLAIN.pem”.",
    )
}

/// A public key was named.
pub fn public_key(path: impl Display) -> Sentence {
    Sentence::new(
        "PublicKey",
        format!("{path} is a public key: nobody can sign with it."),
        "Name the private half, which “bootlace key new” or “imgtool keygen” wrote.",
    )
}

/// RSA, or another curve.
pub fn rsa_key(path: impl Display) -> Sentence {
    Sentence::new(
        "UnsupportedKey",
        format!("{path} is neither a P-256 nor an Ed25519 key."),
        "The companion checks those two. For boards that run MCUboot with RSA sign with imgtool.",
    )
}

/// No key at all.
pub fn no_private_key(path: impl Display) -> Sentence {
    Sentence::new(
        "NotAPrivateKey",
        format!("{path} holds no private key in PEM, or a damaged one."),
        "Name the file that “bootlace key new” or “imgtool keygen” wrote.",
    )
}

/// Digests of 512 bits and signatures of the image itself are made with Ed25519 only.
pub fn not_with_p256() -> Sentence {
    Sentence::new(
        "NotWithP256",
        "A P-256 key signs a SHA-256 digest, and nothing else that a bootloader checks.",
        "Leave --sha and --pure away, or sign with an Ed25519 key.",
    )
}

/// The input is an image already.
pub fn is_signed(path: impl Display) -> Sentence {
    Sentence::new(
        "IsSigned",
        format!("{path} begins as an image does: it was made for a board already."),
        "Name the program that was linked, before it was signed.",
    )
}

/// The input does not begin with zeros.
pub fn no_room_for_header(path: impl Display, size: u16) -> Sentence {
    Sentence::new(
        "NoRoomForHeader",
        format!("{path} does not begin with {size} bytes of zeros for the header."),
        "Say --pad-header where the program is linked to start behind the header; otherwise link it with room for the header, or name another --header-size.",
    )
}

/// The image does not fit its slot.
pub fn too_large(image: usize, trailer: u32, slot: u32) -> Sentence {
    Sentence::new(
        "TooLargeForSlot",
        format!("The image has {image} bytes and the trailer {trailer}, and the slot only {slot}."),
        "Make the program smaller; or name the slot's real size, and --max-sectors and --align as the board has them.",
    )
}

/// A class by name needs a vendor.
pub fn class_without_vendor(name: &str) -> Sentence {
    Sentence::new(
        "ClassWithoutVendor",
        format!("“{name}” is no UUID, and a name means something only within a vendor's."),
        "Name the vendor with --vid, or the class by its UUID.",
    )
}

/// A type that is no vendor's.
pub fn bad_tlv_kind(kind: &str) -> Sentence {
    Sentence::new(
        "BadTlv",
        format!("“{kind}” is no type of a TLV of your own."),
        "Choose a number from 0xa0 to 0xfffe.",
    )
}

/// A type twice.
pub fn tlv_twice(kind: u16) -> Sentence {
    Sentence::new(
        "TlvTwice",
        format!("The TLV {kind:#04x} is given twice."),
        "Give each type once.",
    )
}

/// A value that is no bytes.
pub fn bad_tlv_value(value: &str) -> Sentence {
    Sentence::new(
        "BadTlv",
        format!("“{value}” begins as hexadecimal digits do, and is not made of pairs of them."),
        "Give two digits for each byte, or leave 0x away for text.",
    )
}

/// Areas of TLVs have 16 bits for their length.
pub fn too_many_tlvs() -> Sentence {
    Sentence::new(
        "TooManyTlvs",
        "The TLVs have more than 65535 bytes, which an image can't say.",
        "Give fewer or shorter ones.",
    )
}

/// A .hex without an address.
pub fn no_hex_address(path: impl Display) -> Sentence {
    Sentence::new(
        "NoAddress",
        format!("{path} wants an address, and the program's file says none."),
        "Name the slot's begin with --hex-addr, or write plain bytes.",
    )
}

/// An image is made.
pub fn signed(path: impl Display, version: Version, len: usize, is_unsigned: bool) -> String {
    match is_unsigned {
        true => format!(
            "{path}: version {version}, {len} bytes, not signed: boards that check signatures refuse it"
        ),
        false => format!("{path}: version {version}, {len} bytes"),
    }
}
