//! What the command line says while an update goes on.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Display;

use super::{Sentence, bytes, no_patch, rate, rolled_back, saving, short, time};
use crate::{BoardInfo, Command, NoPatch, Progress, Role, Saving, SlotImage};

/// What to do where arguments make no sense.
pub fn see_help() -> &'static str {
    "Look at “bootlace COMMAND --help”."
}

/// A port was opened.
pub fn port_opened(port: impl Display) -> String {
    format!("Port {port}")
}

/// A board, or a serial port that may be one's: the ways to it, what its device says that it is, and its serial number.
pub fn listed(ways: &[String], product: Option<&str>, serial: Option<&str>) -> String {
    let mut line = ways.join(", ");
    let named = product.into_iter().chain(serial).collect::<Vec<_>>().join(" ");
    if !named.is_empty() {
        line = format!("{line}  {named}");
    }
    line
}

/// Neither a board on USB nor a serial port of a USB device is there.
pub fn nothing_listed() -> &'static str {
    "No board is plugged in that USB or a serial port shows."
}

/// A patch is sent; `base` is the file that it starts from.
pub fn patch_made(base: impl Display, it: &Saving) -> String {
    format!("Only what changed since {base} is sent: {}", saving(it))
}

/// No patch is sent, and why; `running` is what the board runs.
pub fn no_patch_made(reason: NoPatch, running: Option<&SlotImage>) -> String {
    match (reason, running) {
        (NoPatch::BaseNotFound, Some(running)) => {
            let (version, hash) = (&running.version, short(&running.hash));
            format!(
                "None of the given files is {version} ({hash}), which the board runs: the whole image is sent."
            )
        }
        _ => no_patch(reason),
    }
}

/// The upload goes on where the board has it.
pub fn resumed(offset: u32) -> String {
    format!("The board holds the first {} already", bytes(offset))
}

/// The port of the board is gone, without a restart.
pub fn looking() -> &'static str {
    "The board is gone; looking for it"
}

/// A board did what it was asked; below it, how the board is now.
pub fn done(command: Command, now: &BoardInfo) -> String {
    let done = match command {
        Command::Refresh | Command::Journal => "Asked",
        Command::Test => "Marked: the image in the other slot is tried at the next restart",
        Command::Confirm => "Confirmed: the board keeps the image that it runs",
        Command::Erase => "The other slot is erased",
        Command::Reset { .. } => "Restarted",
    };
    format!("{done}\n{}", board(now))
}

/// The other slot holds no image.
pub fn nothing_to_test() -> Sentence {
    Sentence::new(
        "NothingToTest",
        "The board's other slot holds no image.",
        "Send one with “bootlace update”, which also has the image tried.",
    )
}

/// A board that was asked who it is, in one line, and a second one where its last trial failed.
pub fn board(board: &BoardInfo) -> String {
    let name = board.name.as_deref().unwrap_or("A board");
    let who = match &board.serial {
        Some(serial) => format!("{name} {serial}"),
        None => name.to_string(),
    };
    let running = board
        .running()
        .map(|image| (image.version.as_str(), image.confirmed || !image.has_flags()));
    let line = match (board.role, running) {
        (None, Some((version, _))) if board.recovery => {
            format!("{who}, in MCUboot’s serial recovery: version {version}")
        }
        (None, None) if board.recovery => format!("{who}, in MCUboot’s serial recovery: nothing to run"),
        (Some(Role::Bootloader), Some((version, true))) => {
            format!("{who}, in its bootloader: version {version}")
        }
        (Some(Role::Bootloader), Some((version, false))) => {
            format!("{who}, in its bootloader: version {version}, on trial")
        }
        (Some(Role::Bootloader), None) => format!("{who}, in its bootloader: nothing to run"),
        (Some(Role::Application), Some((version, true))) => {
            format!("{who}, running its application: version {version}")
        }
        (Some(Role::Application), Some((version, false))) => {
            format!("{who}, running its application: version {version}, on trial")
        }
        (Some(Role::Application), None) => {
            format!("{who}, running an application that the board does not list")
        }
        (_, Some((version, true))) => format!("{who}: version {version}"),
        (_, Some((version, false))) => format!("{who}: version {version}, on trial"),
        (_, None) => format!("{who}: the board does not list what it runs"),
    };
    match &board.rollback {
        Some(back) => {
            let from = back.from.as_deref().unwrap_or("the last update");
            format!("{line}\n  {}", rolled_back(from, Some(back.reason)))
        }
        None => line,
    }
}

/// How far an upload is.
pub fn progress(it: &Progress) -> String {
    let percent = u64::from(it.done) * 100 / u64::from(it.total.max(1));
    let (done, total) = (bytes(it.done), bytes(it.total));
    match (it.rate.map(rate), it.remaining.map(time)) {
        (Some(rate), Some(left)) => format!("{percent:>3} %  {done} of {total}  {rate}  {left} left"),
        (Some(rate), None) => format!("{percent:>3} %  {done} of {total}  {rate}"),
        (None, Some(left)) => format!("{percent:>3} %  {done} of {total}  {left} left"),
        (None, None) => format!("{percent:>3} %  {done} of {total}"),
    }
}
