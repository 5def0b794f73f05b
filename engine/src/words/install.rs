//! What is said about a first install: a chip in its loader, and the companion that goes into it.

use alloc::format;
use alloc::string::{String, ToString as _};
use core::fmt::Display;

use bootlace_install::{Board, Ended, OtherDrive, Unfit, Way, Work};
use bootlace_loader::{Fault, Refusal};

use super::{Sentence, bytes, ports};
use crate::error::Error;

/// No board has this name; `known` are those that there are.
pub fn no_board(name: &str, known: &str) -> Sentence {
    Sentence::new(
        "UnknownBoard",
        format!("“{name}” is no board that Bootlace has a companion for."),
        format!("The boards are: {known}."),
    )
}

/// This board has no such way in.
pub fn no_way(board: &Board, ways: &str) -> Sentence {
    let next = match ways {
        "" => "It has none: make a file with “bootlace companion make”, and write it with a debugger."
            .to_string(),
        ways => format!("Its ways are: {ways}."),
    };
    Sentence::new(
        "NoSuchWay",
        format!("The {} can't be reached that way.", board.title),
        next,
    )
}

/// The companion of a board is not where it was looked for.
pub fn no_companion(board: &str, places: &str) -> Sentence {
    Sentence::new(
        "NoCompanion",
        format!("There is no companion for {board} in {places}."),
        "Name the folder that holds it with --companions, or build it: cargo xtask firmware.",
    )
}

/// Neither keys nor a companion that holds keys were named.
pub fn no_keys() -> Sentence {
    Sentence::new(
        "NoKey",
        "No key was given: nobody could sign for this board.",
        "Name your public key with --key; “bootlace key new” makes one.",
    )
}

/// The name of a file says no format.
pub fn no_format(path: impl Display) -> Sentence {
    Sentence::new(
        "NoFormat",
        format!("{path} names no format."),
        "End the name in .bin, .hex, .uf2 or .zip.",
    )
}

/// Chips of this board take no UF2.
pub fn no_uf2(board: &Board) -> Sentence {
    Sentence::new(
        "NoUf2",
        format!("The {} takes no UF2 files.", board.title),
        "End the name in .bin or .hex.",
    )
}

/// A file is no companion made for this board.
pub fn not_for_board(path: impl Display, board: &Board) -> Sentence {
    Sentence::new(
        "WrongCompanion",
        format!("{path} is no companion for the {}.", board.title),
        "Choose what “bootlace companion make” wrote for this board.",
    )
}

/// The companion in a file would not start the image that lies with it.
pub fn would_not_start(path: impl Display, why: &Error) -> Sentence {
    Sentence::new(
        "WouldNotStart",
        format!(
            "The companion in {path} would not start the image that lies with it: {}",
            super::error(why).what
        ),
        "Make the file anew with “bootlace companion make --app”, with an image that its key has signed; --any-image installs \
         the file as it is.",
    )
}

/// A UF2 file can't be used; `why` says what is wrong.
pub fn bad_uf2(path: impl Display, why: impl Display) -> Sentence {
    Sentence::new(
        "DamagedUf2",
        format!("{path} is no UF2 file that can be used: {why}."),
        "Make the file again, or copy it again.",
    )
}

/// What does not fit the board.
pub fn unfit(board: &Board, unfit: Unfit) -> Sentence {
    let (what, len, most) = match unfit {
        Unfit::Companion { len, most } => ("companion", len, most),
        Unfit::Image { len, most } => ("image", len, most),
    };
    Sentence::new(
        "DoesNotFit",
        format!(
            "The {what} has {}, and the {} has room for {}.",
            bytes(u32::try_from(len).unwrap_or(u32::MAX)),
            board.title,
            bytes(most)
        ),
        "Choose one that was built for this board.",
    )
}

/// No chip is in its loader.
pub fn no_loader(board: &Board, way: Way) -> Sentence {
    let cable = match way {
        Way::Dfuse => " The cable goes to the board's own USB connector, not to the debugger's.",
        Way::Picoboot | Way::Uf2 | Way::Uart | Way::Nordic => "",
    };
    Sentence::new(
        "NoLoader",
        format!("No {} in its loader is plugged in.", board.title),
        format!("{}{cable}", board.entry),
    )
}

/// What lets a person use a chip's loader, by system.
fn permissions(numbers: (u16, u16)) -> String {
    let (rule, file) = (ports::udev_rule(numbers), ports::UDEV_RULES);
    format!(
        "On Linux, put this line into {file}: {rule} — then plug the board in again. On Windows, give the device the driver \
         WinUSB: Zadig does that (zadig.akeo.ie)."
    )
}

/// This user may not use a chip's loader.
pub fn loader_forbidden(name: impl Display, numbers: (u16, u16)) -> Sentence {
    Sentence::new(
        "PortForbidden",
        format!("You may not use the USB device {name}."),
        permissions(numbers),
    )
}

/// A chip's loader can't be used; `why` is the system's word.
pub fn loader_unusable(name: impl Display, numbers: (u16, u16), why: impl Display) -> Sentence {
    Sentence::new(
        "PortUnusable",
        format!("The USB device {name} can't be used: {why}."),
        permissions(numbers),
    )
}

/// Several chips are in their loaders, which have no serial numbers.
pub fn several_loaders(names: &str) -> Sentence {
    Sentence::new(
        "SeveralBoards",
        format!("Several boards are in their loaders, and nothing tells them apart: {names}."),
        "Leave only the one plugged in that is meant.",
    )
}

/// A folder is not the drive of this board's loader.
pub fn other_drive(path: impl Display, board: &Board, other: OtherDrive) -> Sentence {
    match other {
        OtherDrive::Unknown => Sentence::new(
            "NoDrive",
            format!(
                "{path} is not the drive of a board in its loader: it holds no INFO_UF2.TXT that says “{}”.",
                board
                    .drive
                    .as_ref()
                    .map_or("", |drive| drive.says)
                    .trim_end_matches('.')
            ),
            format!("{} Name the folder where that drive appears.", board.entry),
        ),
        OtherDrive::Of(other) => Sentence::new(
            "OtherDrive",
            format!("{path} is the drive of another board: {}.", other.title),
            format!("Use --board {}.", other.name),
        ),
    }
}

/// The drive was not named.
pub fn which_drive() -> Sentence {
    Sentence::new(
        "NoDrive",
        "No drive was named.",
        "Name the folder where the drive appears with --drive.",
    )
}

/// The port was not named.
pub fn which_port() -> Sentence {
    Sentence::new(
        "NoPort",
        "No port was named.",
        "Name the serial port that leads to the chip with --port: “bootlace ports” lists what there is.",
    )
}

/// Another program uses the serial port.
pub fn port_busy(port: impl Display) -> Sentence {
    Sentence::new(
        "PortBusy",
        format!("The port {port} is busy: another program is using it."),
        "Close terminals, pages and other tools that use the port, then start again. On Linux, ModemManager looks at new ports for \
         some seconds: wait, or end it (sudo systemctl stop ModemManager).",
    )
}

/// What an installation does.
pub const fn work(work: Work) -> &'static str {
    match work {
        Work::Beginning => "Asking the loader…",
        Work::Reading => "Reading what the board holds…",
        Work::Erasing => "Erasing…",
        Work::Writing => "Writing…",
        Work::Verifying => "Reading back…",
        Work::Finishing => "Writing what the chip starts from…",
        Work::Leaving => "Restarting the board…",
    }
}

/// How far a work is.
pub fn progress(done: u32, total: u32) -> String {
    format!("{} of {}", bytes(done), bytes(total))
}

/// What the board held was kept.
pub fn kept(path: impl Display, way: Way) -> String {
    let back = match way {
        Way::Picoboot | Way::Uf2 => {
            "copied onto the drive of the board's loader, it is as it was".to_string()
        }
        // That one does not say what the board held.
        Way::Nordic => "install it in the same way".to_string(),
        Way::Uart => format!("“stm32flash -w {path} -v -g 0x08000000 PORT” brings that back"),
        Way::Dfuse => {
            format!("“dfu-util -d 0483:df11 -a 0 -s 0x08000000:leave -D {path}” brings that back")
        }
    };
    format!("What the board held there is kept in {path}: {back}.")
}

/// What the board held is not kept.
pub const fn was_blank() -> &'static str {
    "The board held nothing there."
}

/// It is installed.
pub fn installed(board: &Board) -> String {
    let exit = board.exit.map(|exit| format!(" {exit}")).unwrap_or_default();
    format!(
        "Done. The {} restarts and runs the companion: “bootlace board” shows it, “bootlace update” gives it an application.{exit}",
        board.title
    )
}

/// A companion was written into a file.
pub fn made(path: impl Display, board: &Board, name: &str) -> String {
    format!("{path}: a companion for the {}, called “{name}”", board.title)
}

/// Why nothing was installed; `None`: it was.
pub fn ended(board: &Board, way: Way, ended: &Ended) -> Option<Sentence> {
    let again = &again(board, way);
    Some(match ended {
        Ended::Installed => return None,
        // All of it was written and read back before.
        Ended::Failed {
            work: Work::Leaving, ..
        } => Sentence {
            unharmed: false,
            ..Sentence::new(
                "NotStarted",
                "The companion is installed and read back, but the loader does not start it.",
                match board.exit {
                    Some(exit) => format!("{exit} Then press reset."),
                    None => "Unplug the board and plug it in again.".to_string(),
                },
            )
        },
        Ended::Cancelled { changed } => Sentence {
            unharmed: !changed,
            ..Sentence::new(
                "Cancelled",
                if *changed {
                    "The installation was cancelled, and the flash holds a part of it."
                } else {
                    "The installation was cancelled, and nothing was changed."
                },
                again,
            )
        },
        Ended::Differs { at } => Sentence {
            unharmed: false,
            ..Sentence::new(
                "Differs",
                format!("What was written at {at:#010x} reads otherwise."),
                "Start again. If that happens again, the flash there is protected against writing, worn out or damaged.",
            )
        },
        Ended::OtherChip { at } => Sentence::new(
            "OtherChip",
            format!(
                "This is no {}: its flash is another one at {at:#010x}. Nothing was changed.",
                board.title
            ),
            "Choose the board that is plugged in, or one whose chip has as much flash as this companion needs.",
        ),
        Ended::Failed { fault, changed, .. } => Sentence {
            unharmed: !changed,
            ..fault_sentence(board, fault, again)
        },
    })
}

/// How an installation is begun once more.
fn again(board: &Board, way: Way) -> String {
    match way {
        Way::Uart => format!(
            "Check the wires: the adapter's TX to the chip's PA10, its RX to PA9, ground to ground. {} Then start again: a \
             chip's loader can't be overwritten.",
            board.entry
        ),
        Way::Picoboot | Way::Uf2 | Way::Dfuse | Way::Nordic => {
            "Unplug the board, bring it into its loader again, and start again: a chip's \
             loader can't be overwritten."
                .to_string()
        }
    }
}

fn fault_sentence(board: &Board, fault: &Fault, again: &str) -> Sentence {
    match fault {
        Fault::Gone => Sentence::new(
            "Gone",
            format!("The {} was unplugged, or restarted.", board.title),
            again,
        ),
        Fault::Silent => Sentence::new("Silent", "The loader does not answer.", again),
        Fault::Nonsense => Sentence::new("Nonsense", "The loader answers what a loader would not.", again),
        Fault::NoFlash => Sentence::new(
            "NoFlash",
            format!(
                "The loader offers no flash inside its chip: this is no {}.",
                board.title
            ),
            "Choose the board that is plugged in.",
        ),
        Fault::OtherChip(number) => Sentence::new(
            "OtherChip",
            format!("This is no {}: the chip's number is {number:#06x}.", board.title),
            "Choose the board that is connected.",
        ),
        Fault::System(why) => Sentence::new(
            "System",
            format!("The system can't talk to the loader: {why}."),
            again,
        ),
        Fault::Refused(refusal) => {
            let why = match refusal {
                Refusal::Address => "it has no flash at that address".to_string(),
                Refusal::Protected => "its flash is protected".to_string(),
                Refusal::Unknown => "it does not know the request".to_string(),
                Refusal::Restarting => "it is restarting".to_string(),
                Refusal::Other(0) => "it does not say why".to_string(),
                Refusal::Other(code) => format!("its error is {code}"),
            };
            let next = match refusal {
                Refusal::Protected => {
                    "Take the protection away on purpose, which erases the chip: Bootlace never does."
                }
                _ => again,
            };
            Sentence::new("LoaderRefuses", format!("The loader refuses: {why}."), next)
        }
    }
}
