//! What is said about files and folders that the command line is given.

use alloc::format;
use alloc::string::String;
use core::fmt::Display;

use super::Sentence;

/// A file can't be read; `why` is the system's word.
pub fn unreadable(path: impl Display, why: impl Display) -> Sentence {
    Sentence::new(
        "Unreadable",
        format!("{path} can't be read: {why}."),
        "Check the name and your rights to the file.",
    )
}

/// A folder was named where a file is wanted.
pub fn is_a_folder(path: impl Display) -> Sentence {
    Sentence::new(
        "IsAFolder",
        format!("{path} is a folder, not a file."),
        "Name a file in it.",
    )
}

/// A folder can't be read; `why` is the system's word.
pub fn unreadable_folder(path: impl Display, why: impl Display) -> Sentence {
    Sentence::new(
        "Unreadable",
        format!("{path} can't be read: {why}."),
        "Check the name and your rights to the folder.",
    )
}

/// A file can't be written; `why` is the system's word.
pub fn unwritable(path: impl Display, why: impl Display) -> Sentence {
    Sentence::new(
        "Unwritable",
        format!("{path} can't be written: {why}."),
        "Check the name, your rights and the room on the disk.",
    )
}

/// The output is one of the inputs.
pub fn output_is_input(path: impl Display) -> Sentence {
    Sentence::new(
        "OutputIsInput",
        format!("{path} is one of the files that are read: it would be overwritten."),
        "Name another file for the output.",
    )
}

/// A file of more than so many MB is no firmware.
pub fn too_large(path: impl Display, megabytes: u64) -> Sentence {
    Sentence::new(
        "FileTooLarge",
        format!("{path} is too large to be firmware: it has more than {megabytes} MB."),
        "Choose the signed image.",
    )
}

/// A folder for the output can't be made; `why` is the system's word.
pub fn unmade_folder(path: impl Display, why: impl Display) -> Sentence {
    Sentence::new(
        "Unwritable",
        format!("{path} can't be made a folder: {why}."),
        "Name a folder for the output, or one that does not exist yet, where you may write.",
    )
}

/// `--base-dir` names something else than a folder.
pub fn no_folder(path: impl Display) -> Sentence {
    Sentence::new(
        "NoFolder",
        format!("{path} is no folder."),
        "Name a folder of images that the board may run, or leave --base-dir away.",
    )
}

/// A folder holds fewer than two images.
pub fn no_versions(folder: impl Display, count: usize) -> Sentence {
    Sentence::new(
        "NoVersions",
        format!("{folder} holds {count} images (*.bin)."),
        "Choose a folder with at least two versions of a firmware.",
    )
}

/// Two files of a folder hold the same image.
pub fn same_image(one: &str, other: &str) -> String {
    format!("{one} and {other} hold the same image: no patch is made between them")
}

/// Two pairs of versions would have one name for their patches.
pub fn same_output(path: impl Display) -> Sentence {
    Sentence::new(
        "SameOutput",
        format!("{path} would be the name of two patches."),
        "Rename the images so that no name holds “--”.",
    )
}

/// What was wrong with the file at `path`, by name.
pub fn at(path: impl Display, sentence: Sentence) -> Sentence {
    Sentence {
        what: format!("{path}: {}", sentence.what),
        ..sentence
    }
}

/// An image is good.
pub fn verified(version: impl Display, key_hash: &str, algorithm: &str) -> String {
    format!("Good: version {version}, unaltered,\nsigned by {key_hash} ({algorithm})")
}
