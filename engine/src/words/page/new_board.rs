//! “New board” in the page: what goes wrong while a board gets its first companion, and what to do then.

mod labels;

use alloc::format;
use alloc::string::{String, ToString as _};
use core::fmt::Display;

use bootlace_identity::{MAX_KEYS, MAX_NAME, Unfit};
use bootlace_image::PublicKey;
use bootlace_install::companion::Unmade;
use bootlace_install::{Board, Ended, OtherDrive, Part, Way, Work};
use bootlace_nordic_dfu::Stage;

use super::super::{self as words, Sentence, algorithm, bytes, identity, install, nordic, ports};

pub use labels::{Labels, labels};

/// The systems whose ways with USB devices differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum System {
    /// A user needs a rule of udev.
    Linux,
    /// A device needs a driver of its own.
    Windows,
    /// Nothing is needed.
    #[default]
    Other,
}

impl System {
    /// From what a browser says of its system.
    pub fn of(platform: &str) -> Self {
        let has = |name: &str| platform.contains(name);
        match () {
            () if has("Win") => System::Windows,
            () if has("Linux") && !has("Android") => System::Linux,
            () => System::Other,
        }
    }
}

/// A thing that went wrong, and the lines to copy that mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What happened, and what to do.
    pub sentence: Sentence,
    /// The lines.
    pub remedy: Option<String>,
}

impl From<Sentence> for Trouble {
    fn from(sentence: Sentence) -> Self {
        Trouble {
            sentence,
            remedy: None,
        }
    }
}

/// The list of companions, or one of them, can't be read.
pub fn no_companions() -> Sentence {
    Sentence::new(
        "NoCompanions",
        "The companions of this page could not be loaded.",
        "Check the connection, then start again. Whoever runs this page: “cargo xtask dist” builds all of it.",
    )
}

/// A companion is not what the list says.
pub fn altered_companion(board: &Board) -> Sentence {
    Sentence::new(
        "AlteredCompanion",
        format!(
            "The companion for the {} is not the one that this page lists: its digest is another one.",
            board.title
        ),
        "Start again. If that happens again, tell whoever runs this page: its files are not of one build.",
    )
}

/// Why no companion was made to measure.
pub fn unmade(board: &Board, unmade: Unmade) -> Sentence {
    match unmade {
        Unmade::NoKey => Sentence::new(
            "NoKey",
            "Without a key nobody could sign for this board.",
            "Choose your public key, or make a new key.",
        ),
        Unmade::PublishedKey(file) => refused_key(file),
        Unmade::Identity(unfit) => Sentence::new(
            "UnfitIdentity",
            format!("The companion can’t be made: {}.", identity::reason(unfit)),
            match unfit {
                Unfit::KeyCount(_) | Unfit::KeyKind | Unfit::OtherKind(_) => "Choose other keys.",
                _ => "Change the name.",
            },
        ),
        Unmade::NoBlock => altered_companion(board),
    }
}

/// A key whose private half is published was chosen.
fn refused_key(file: &str) -> Sentence {
    Sentence::new(
        "PublishedKey",
        format!(
            "This is a test key whose private half is published ({file}): anybody could sign for your board."
        ),
        "Choose a key of your own, or make one here.",
    )
}

/// What speaks against keys that were chosen beside `there` others.
pub fn unfit_keys(keys: &[PublicKey], there: usize) -> Option<Sentence> {
    let published = keys
        .iter()
        .find_map(|key| bootlace_image::development_key(&key.hash()));
    if let Some(file) = published {
        return Some(refused_key(file));
    }
    if let Some(other) = keys.iter().find(|key| !key.algorithm().is_checked_by_companion()) {
        return Some(Sentence::new(
            "KeyKind",
            format!(
                "This is a key of another kind ({}): the companion checks ECDSA P-256 and Ed25519.",
                algorithm(other.algorithm())
            ),
            "Choose a key of one of these kinds, or make one here.",
        ));
    }
    (keys.len() + there > MAX_KEYS).then(|| {
        Sentence::new(
            "TooManyKeys",
            format!(
                "The board holds {MAX_KEYS} keys, and these would be {}.",
                keys.len() + there
            ),
            "Remove a key, or choose a file with fewer.",
        )
    })
}

/// What speaks against a name; nothing against none, which means the board's title.
pub fn unfit_name(name: &str) -> Option<String> {
    let is_printable = name.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    match name.len() {
        _ if !is_printable => Some("Only letters without accents, digits and signs".into()),
        len if len > MAX_NAME => Some(format!("{len} letters, at most {MAX_NAME}")),
        _ => None,
    }
}

/// What speaks against a UUID; nothing against none.
pub fn unfit_uuid(text: &str) -> Option<&'static str> {
    (!text.trim().is_empty() && words::uuid_of(text).is_none()).then_some("32 hexadecimal digits")
}

/// A key that is shown: its kind.
pub fn key_kind(key: &PublicKey) -> &'static str {
    algorithm(key.algorithm())
}

/// The browser made no key.
pub fn no_key_made(why: impl Display) -> Sentence {
    Sentence::new(
        "NoKeyMade",
        format!("This browser could not make a key: {why}."),
        "Make one elsewhere (“imgtool keygen -t ecdsa-p256”, or “bootlace key new”), and choose its public half here.",
    )
}

/// A file could not be written.
pub fn not_saved(why: impl Display) -> Sentence {
    Sentence::new(
        "NotSaved",
        format!("The file could not be written: {why}."),
        "Save it in another folder.",
    )
}

/// A key that is a file, for imgtool.
pub fn sign_with(file: &str) -> String {
    format!("imgtool sign --key {file} …")
}

/// The browser has no interface for this way.
pub fn not_in_this_browser(board: &Board) -> Sentence {
    Sentence::new(
        "NotInThisBrowser",
        "This browser can’t reach the board’s loader.",
        format!(
            "Open this page in Chrome or Edge on a computer.{}",
            or_drive(board)
        ),
    )
}

/// The other way, where the board has it.
fn or_drive(board: &Board) -> &'static str {
    match board.ways.contains(&Way::Uf2) {
        true => " Or use the board’s drive.",
        false => "",
    }
}

/// The button for a way to a board's loader.
pub const fn connect(way: Way) -> &'static str {
    match way {
        Way::Picoboot | Way::Dfuse => "Connect by USB",
        Way::Uart | Way::Nordic => "Connect by a serial port",
        Way::Uf2 => "Choose the drive",
    }
}

/// What is chosen then.
pub const fn connect_hint(way: Way) -> &'static str {
    match way {
        Way::Picoboot => "Choose “RP2 Boot” in the browser’s list.",
        Way::Dfuse => {
            "Choose “STM32 BOOTLOADER” in the browser’s list. The cable goes to the board’s own USB connector, not to the debugger’s."
        }
        Way::Uart => {
            "Choose the adapter’s port in the browser’s list. Its TX goes to PA10, its RX to PA9, ground to ground."
        }
        Way::Nordic => "Choose “Open DFU Bootloader” in the browser’s list.",
        Way::Uf2 => "Choose the drive that has appeared.",
    }
}

/// Nothing was chosen in the browser's list.
pub fn none_chosen(board: &Board, way: Way) -> Sentence {
    let what = match way {
        Way::Uart | Way::Nordic => "No port was chosen.",
        _ => "No board was chosen.",
    };
    let next = format!(
        "Is the board not in the list? {} Then connect again.",
        board.entry
    );
    Sentence::new("NoneChosen", what, next)
}

/// The system does not let this user have a device with these numbers. Once it has its companion, the board is one with the
/// numbers `then`, for which a rule is due as well.
pub fn denied(board: &Board, system: System, numbers: (u16, u16), then: (u16, u16)) -> Trouble {
    let what = "This computer does not let you use the board’s loader.";
    match system {
        System::Linux => Trouble {
            sentence: Sentence::new(
                "LoaderDenied",
                what,
                format!(
                    "Put the lines below into {}, unplug the board and bring it into its loader again. If your browser is a snap, it \
                     also needs “sudo snap connect chromium:raw-usb”.{}",
                    ports::UDEV_RULES,
                    or_drive(board)
                ),
            ),
            remedy: Some([ports::udev_rule(numbers), ports::udev_rule(then)].join("\n")),
        },
        System::Windows => no_driver(board),
        System::Other => Trouble::from(Sentence::new(
            "LoaderDenied",
            what,
            format!(
                "Close other programs that use the board, then bring it into its loader again.{}",
                or_drive(board)
            ),
        )),
    }
}

/// Windows has no driver for the loader.
fn no_driver(board: &Board) -> Trouble {
    Trouble::from(Sentence::new(
        "NoDriver",
        "Windows has no driver for the board’s loader, so this page can’t open it.",
        format!(
            "Give the device the driver WinUSB: Zadig does that (zadig.akeo.ie). Then bring the board into its loader again.{}",
            or_drive(board)
        ),
    ))
}

/// The device can't be opened though it may be.
pub fn busy(board: &Board, way: Way, system: System) -> Trouble {
    match (way, system) {
        (Way::Uart | Way::Nordic, _) => Trouble::from(Sentence::new(
            "PortBusy",
            "The port can’t be opened: another program is using it.",
            "Close terminals and other tools that use the port, then connect again. On Linux, ModemManager looks at new ports for \
             some seconds: wait.",
        )),
        // What Windows says of a device without a driver.
        (_, System::Windows) => no_driver(board),
        _ => Trouble::from(Sentence::new(
            "LoaderBusy",
            "The board’s loader can’t be opened: another program or page is using it.",
            "Close other pages and tools that use the board, then connect again.",
        )),
    }
}

/// The device went away while it was being opened.
pub fn vanished(board: &Board) -> Sentence {
    Sentence::new(
        "LoaderVanished",
        "The board went away while it was being opened.",
        format!("Check the cable. {} Then connect again.", board.entry),
    )
}

/// The chosen device is none of this kind.
pub fn wrong_device(board: &Board) -> Sentence {
    Sentence::new(
        "WrongDevice",
        format!("The device is no {} in its loader.", board.title),
        format!("{} Then connect again.", board.entry),
    )
}

/// The chosen folder is not the drive of this board's loader.
pub fn other_drive(name: &str, board: &Board, other: OtherDrive) -> Sentence {
    match other {
        OtherDrive::Of(other) => Sentence::new(
            "OtherBoardsDrive",
            format!("“{name}” is the drive of another board: {}.", other.title),
            "Choose that board in the first step, or the drive of this one.",
        ),
        OtherDrive::Unknown => Sentence::new(
            "NoDrive",
            format!(
                "“{name}” is not the drive of a board in its loader: it holds no INFO_UF2.TXT of such a chip."
            ),
            format!("{} Then choose the drive that appears.", board.entry),
        ),
    }
}

/// No folder was chosen.
pub fn no_drive_chosen() -> Sentence {
    Sentence::new(
        "NoDriveChosen",
        "No drive was chosen.",
        "Press “Choose the drive” once more. If the browser does not let you have that drive, download the file and copy it there.",
    )
}

/// The drive did not take the file.
pub fn drive_failed(why: impl Display) -> Sentence {
    Sentence {
        unharmed: false,
        ..Sentence::new(
            "DriveFailed",
            format!("The drive did not take the whole file: {why}."),
            "Unplug the board, bring it into its loader again, and start again.",
        )
    }
}

/// A loader that starts nothing which has changed since takes the companion alone.
pub fn companion_alone(board: &Board) -> Sentence {
    Sentence::new(
        "CompanionAlone",
        format!(
            "The loader of the {} takes the companion alone: it starts nothing that has changed since it was sent.",
            board.title
        ),
        "Remove the application here. This page sends it afterwards, as every update.",
    )
}

/// An application was chosen that the board would not start.
pub fn unfit_application(error: &crate::Error) -> Sentence {
    Sentence {
        unharmed: false,
        ..words::error(error)
    }
}

/// Why nothing was installed; `None`: it was.
pub fn ended(board: &Board, way: Way, ended: &Ended) -> Option<Sentence> {
    install::ended(board, way, ended)
}

/// What an installation does.
pub fn work(work: Work) -> &'static str {
    install::work(work)
}

/// What Nordic's bootloader is sent now.
pub fn nordic_stage(stage: Stage) -> &'static str {
    nordic::stage(stage)
}

/// Why Nordic's bootloader did not take the companion; `None`: it did.
pub fn nordic_ended(board: &Board, ended: &bootlace_nordic_dfu::Ended) -> Option<Sentence> {
    nordic::ended(board, ended)
}

/// How far a work is.
pub fn progress(done: u32, total: u32) -> String {
    install::progress(done, total)
}

/// A companion of the list.
pub fn companion(version: &str, size: u32) -> String {
    format!("Companion {version}, {}", bytes(size))
}

/// A range of flash that is erased and written.
pub fn range(at: u32, len: u32) -> String {
    format!("{} from {at:#010x}", bytes(len))
}

/// What is written there.
pub fn content(has_application: bool) -> &'static str {
    match has_application {
        true => "the companion, its records and the application",
        false => "the companion and its records",
    }
}

/// How much of what was read is not blank.
pub fn held(parts: &[Part]) -> String {
    let used = parts
        .iter()
        .flat_map(|part| &part.bytes)
        .filter(|byte| **byte != 0xFF);
    let used = u32::try_from(used.count()).unwrap_or(u32::MAX);
    format!("{} in use", bytes(used))
}

/// The content is in a file, and how that brings it back.
pub fn saved_as(board: &Board, file: &str) -> String {
    match board.drive {
        Some(_) => format!("Saved as {file}. Copied onto the board’s drive, it brings that back."),
        None => format!(
            "Saved as {file}. Written to {:#010x}, it brings that back.",
            board.flash
        ),
    }
}

/// What was chosen for the companion: the files of its keys, its name, the file of its application.
pub fn measure(keys: &str, name: &str, application: Option<&str>) -> String {
    match application {
        Some(application) => format!("{keys}, called “{name}”, with {application}"),
        None => format!("{keys}, called “{name}”"),
    }
}

/// What comes after the installation.
pub fn then_connect(name: &str) -> String {
    format!("Choose “{name}” in the browser’s list. Then choose its first application.")
}

/// The key that was made is in a file.
pub fn key_saved(file: &str) -> String {
    format!("The private key is in {file}.")
}

/// The companion is in a file.
pub fn downloaded(file: &str) -> String {
    format!("{file} is in your downloads.")
}

/// How far it is, for a tab that is not looked at.
pub fn news(doing: &str, percent: Option<u32>) -> String {
    match percent {
        Some(percent) => format!("{percent} % · {doing}"),
        None => doing.to_string(),
    }
}
