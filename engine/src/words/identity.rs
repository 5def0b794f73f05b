//! What is said about the identity block of a bootloader.

use alloc::format;
use alloc::string::String;
use core::fmt::Display;

use bootlace_identity::{MAX_KEYS, MAX_NAME, Unfit};

use super::{Sentence, algorithm};

/// An Intel HEX or UF2 file is damaged.
pub fn damaged_file(path: impl Display) -> Sentence {
    Sentence::new(
        "DamagedProgram",
        format!("{path} is damaged: a record of it is cut off, or its checksum is wrong."),
        "Build the bootloader again, or copy the file again.",
    )
}

/// There is no block, or more than one.
pub fn no_block(path: impl Display) -> Sentence {
    Sentence::new(
        "NoIdentityBlock",
        format!("{path} does not hold one identity block, filled or blank."),
        "Choose a bootloader of Bootlace: applications and other bootloaders have no such block.",
    )
}

/// The block was never filled.
pub fn blank(path: impl Display) -> Sentence {
    Sentence::new(
        "BlankIdentity",
        format!("The identity block of {path} is blank: a board with this bootloader starts nothing."),
        "Fill the block: bootlace companion fill.",
    )
}

/// The private half of a key is published, in a file of this name.
pub fn published_key(file: &str) -> Sentence {
    Sentence::new(
        "PublishedKey",
        format!("This is a test key whose private half is published ({file}): anybody can sign with it."),
        "Make a key of your own (imgtool keygen); for a board on a desk, add --allow-development-keys.",
    )
}

/// What was asked for can't be written.
pub fn unfit(unfit: Unfit) -> Sentence {
    Sentence::new(
        "UnfitIdentity",
        format!("No identity was written: {}.", reason(unfit)),
        match unfit {
            Unfit::OtherKind(_) => {
                "Give a key of another kind, or a companion that was built to check yours."
            }
            _ => "Change the argument.",
        },
    )
}

/// Why an identity can't be written.
pub(super) fn reason(unfit: Unfit) -> String {
    match unfit {
        Unfit::KeyCount(count) => format!("{count} keys were given, and the block holds 1 to {MAX_KEYS}"),
        Unfit::KeyKind => "a key is neither P-256 nor Ed25519, and the companion checks no other".into(),
        Unfit::OtherKind(kind) => {
            format!(
                "a key is for {}, and this companion checks no such signatures",
                algorithm(kind)
            )
        }
        Unfit::NameLen(len) => format!("the name has {len} letters, and the block holds 1 to {MAX_NAME}"),
        Unfit::NameLetters => "the name has letters that are not ASCII".into(),
        Unfit::NoAttempts => "an image must be started at least once to prove itself".into(),
        Unfit::Deadline(seconds) => format!("the deadline is {seconds} seconds, and must be 30 to 300"),
    }
}

/// A bootloader was written.
pub fn written(path: impl Display, name: &str) -> String {
    format!("{path}: a bootloader for “{name}”. Flash it as you flash any bootloader.")
}

/// What a board is called, and whom images must be for.
pub fn names(name: &str, vendor: Option<String>, class: Option<String>) -> String {
    let or_any = |id: Option<String>| id.unwrap_or_else(|| "any".into());
    format!("“{name}”, vendor {}, class {}", or_any(vendor), or_any(class))
}
