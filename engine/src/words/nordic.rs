//! What is said of an installation by Nordic's bootloader.

use alloc::format;
use alloc::string::{String, ToString as _};
use core::fmt::Display;

use bootlace_install::{Board, Unpackaged};
use bootlace_nordic_dfu::{Code, Ended, Extended, Fault, Op, Stage};

use super::{Sentence, bytes, install};

/// A file is no package that Nordic's bootloader can be sent.
pub fn unpackaged(path: impl Display, why: Unpackaged) -> Sentence {
    let why = match why {
        Unpackaged::Archive(error) => error.to_string(),
        Unpackaged::Manifest(error) => error.to_string(),
        Unpackaged::Missing => "a file of it is missing".to_string(),
        Unpackaged::Init(error) => error.to_string(),
    };
    Sentence::new(
        "BadPackage",
        format!("{path} is no package that can be used: {why}."),
        "Make the package again: “bootlace companion make -o x.zip”, or “nrfutil pkg generate” with --application.",
    )
}

/// Boards of this kind take no packages.
pub fn no_package(board: &Board) -> Sentence {
    Sentence::new(
        "NoPackage",
        format!("The {} takes no packages of Nordic's.", board.title),
        "End the name in .bin or .hex.",
    )
}

/// An image was to be installed with the companion.
pub fn companion_alone(board: &Board) -> Sentence {
    Sentence::new(
        "CompanionAlone",
        format!(
            "The loader of the {} takes the companion alone: it starts nothing that has changed since it was sent.",
            board.title
        ),
        "Leave --app out, and give the board its application afterwards: bootlace update.",
    )
}

/// A place for what the board holds was named.
pub fn never_read() -> Sentence {
    Sentence::new(
        "NotReadable",
        "Nordic's bootloader does not say what the board holds: nothing can be kept.",
        "Leave --keep out. What the board ran before is gone then, unless you have its file.",
    )
}

/// What the board holds is lost.
pub const fn not_kept() -> &'static str {
    "Nordic's bootloader does not say what the board holds: nothing of it is kept."
}

/// What a transfer does.
pub const fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Greeting => install::work(bootlace_install::Work::Beginning),
        Stage::Init => "Telling the loader what comes…",
        Stage::Firmware => install::work(bootlace_install::Work::Writing),
        Stage::Judging => "The loader checks what it has…",
    }
}

/// Why nothing was installed; `None`: it was.
pub fn ended(board: &Board, ended: &Ended) -> Option<Sentence> {
    let again = |changed: bool| {
        let stays = match changed {
            true => " Until it has all of the companion, the board stays in its loader.",
            false => "",
        };
        format!("{} Then start again.{stays}", board.entry)
    };
    Some(match ended {
        Ended::Installed => return None,
        Ended::Cancelled { changed } => Sentence {
            unharmed: !changed,
            ..Sentence::new(
                "Cancelled",
                if *changed {
                    "The installation was cancelled, and the flash holds a part of it."
                } else {
                    "The installation was cancelled, and nothing was changed."
                },
                again(*changed),
            )
        },
        Ended::Failed {
            stage: Stage::Judging,
            fault: Fault::Gone | Fault::Silent,
            changed,
        } => Sentence {
            unharmed: !changed,
            ..Sentence::new(
                "NotTold",
                format!(
                    "The {} has all of the companion, and left without a word of whether it starts it.",
                    board.title
                ),
                format!("Ask it: bootlace board. If nothing answers: {}", again(*changed)),
            )
        },
        Ended::Failed { fault, changed, .. } => Sentence {
            unharmed: !changed,
            ..fault_sentence(board, fault, &again(*changed))
        },
    })
}

fn fault_sentence(board: &Board, fault: &Fault, again: &str) -> Sentence {
    match fault {
        Fault::Gone => Sentence::new(
            "Gone",
            format!("The {} was unplugged, or restarted.", board.title),
            again,
        ),
        Fault::Silent => Sentence::new(
            "Silent",
            "Nothing answers at this port as Nordic's bootloader does, or no longer.",
            format!("{again} “bootlace ports” lists the ports that there are."),
        ),
        Fault::Nonsense(_) => Sentence::new(
            "Nonsense",
            "What answers at this port is not Nordic's bootloader, or is disturbed.",
            format!("{again} “bootlace ports” lists the ports that there are."),
        ),
        Fault::System(why) => Sentence::new(
            "System",
            format!("The system can't talk to the loader: {why}."),
            again,
        ),
        Fault::OtherChip { part } => Sentence::new(
            "OtherChip",
            format!("The chip is another one: it says that it is an nRF{part:x}."),
            format!("Name the port of the {}, or choose another --board.", board.title),
        ),
        Fault::OtherLoader { at } => Sentence::new(
            "OtherLoader",
            format!("The board's loader begins at {at:#x}, where the companion puts images."),
            "This companion is for boards whose loader begins at 0xe0000 or behind. Boards with another one want a debugger.",
        ),
        Fault::InitTooLong { len, most } => Sentence::new(
            "BadPackage",
            format!(
                "The package's init packet has {}, and the loader takes {}.",
                bytes(*len),
                bytes(*most)
            ),
            "Make the package again.",
        ),
        Fault::Damaged => Sentence::new(
            "Damaged",
            "What is sent arrives damaged, however often.",
            format!("Use another cable, or another USB port. {again}"),
        ),
        Fault::Refused { op, code } => refused(*op, *code, again),
    }
}

/// A loader that checks signatures runs what its maker signed.
const ASK_THE_MAKER: &str = "This loader takes only what the board's maker has signed. Ask the maker for a signed package of the \
                             companion, and name it with --companion.";
/// Somebody else's package is another's.
const ANOTHER_PACKAGE: &str = "Name a package that was made for this board with --companion.";

fn refused(op: Op, code: Code, again: &str) -> Sentence {
    let (why, next): (String, &str) = match code {
        Code::Invalid => ("it gives no reason".into(), again),
        Code::NotSupported => (
            format!("it does not know the request {}", op as u8),
            "The loader is older than Nordic's SDK 12: install by a debugger.",
        ),
        Code::InvalidParameter => ("a length or a kind is wrong for it".into(), again),
        Code::TooLarge => (
            "it has not enough room".into(),
            "Choose what was built for this board.",
        ),
        Code::InvalidObject if op == Op::Execute => (
            "the signature is wrong, or it can't read the init packet".into(),
            ASK_THE_MAKER,
        ),
        Code::InvalidObject => ("it could not erase its flash".into(), again),
        Code::UnsupportedType => ("it does not know this kind of object".into(), again),
        Code::NotPermitted => ("not in the state that it is in".into(), again),
        Code::Failed => ("it failed at it".into(), again),
        Code::Other(code) => (format!("its error is {code}"), again),
        Code::Extended(extended) => match extended {
            Extended::None => ("it gives no reason".into(), again),
            Extended::InvalidError => ("it gives a reason that is none".into(), again),
            Extended::WrongFormat => ("the command's format is wrong for it".into(), ANOTHER_PACKAGE),
            Extended::UnknownCommand => ("it does not know the command".into(), ANOTHER_PACKAGE),
            Extended::InitInvalid => (
                "the init packet lacks something, or is for something else than an application".into(),
                ANOTHER_PACKAGE,
            ),
            Extended::FirmwareVersion => (
                "the version is below that of the application that it has".into(),
                "Name a package with a higher --application-version with --companion.",
            ),
            Extended::HardwareVersion => (
                "the package is for another version of the hardware".into(),
                ANOTHER_PACKAGE,
            ),
            Extended::SoftDevice => (
                "the package is for boards with another SoftDevice, or without".into(),
                ANOTHER_PACKAGE,
            ),
            Extended::NoSignature => ("the package is not signed".into(), ASK_THE_MAKER),
            Extended::SignatureType => ("it does not know this kind of signature".into(), ASK_THE_MAKER),
            Extended::HashType => ("it does not know this kind of hash".into(), ANOTHER_PACKAGE),
            Extended::HashFailed => ("it can't calculate the hash of what arrived".into(), again),
            Extended::WrongHash => ("what arrived is not what the init packet says".into(), again),
            Extended::NoSpace => (
                "it has not enough room".into(),
                "Choose what was built for this board.",
            ),
            Extended::Other(code) => (format!("its extended error is {code}"), again),
        },
    };
    Sentence::new("LoaderRefuses", format!("The loader refuses: {why}."), next)
}
