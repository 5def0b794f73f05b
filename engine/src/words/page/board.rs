//! A board as the page shows it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::super::{self as words, bytes};
use super::figures::spelled;
use super::labels::labels;
use crate::{BoardInfo, JournalEntry, JournalOutcome, Role, SlotImage};

/// By which way a board is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Via {
    /// Web Serial; USB vendor and product id where the port has them.
    Serial(Option<(u16, u16)>),
    /// WebUSB; USB vendor and product id.
    Usb((u16, u16)),
    /// Simulated in the page.
    Simulated,
}

/// What happens to a simulated board.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Behaviour {
    /// The new application starts, passes its self-test, confirms.
    #[default]
    Works,
    /// The new application runs, but never confirms.
    NeverConfirms,
    /// The new application resets soon after its start.
    Crashes,
    /// The new application stops answering; the watchdog resets the board.
    Hangs,
    /// The new application runs and confirms without ever showing a port.
    NoPort,
    /// The board's battery is too low for an update.
    LowBattery,
    /// The stored image is damaged when the board starts, and a golden one takes its place.
    Damaged,
}

impl Behaviour {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 7] = [
        Self::Works,
        Self::NeverConfirms,
        Self::Crashes,
        Self::Hangs,
        Self::NoPort,
        Self::LowBattery,
        Self::Damaged,
    ];
}

/// What happens to a simulated board, to choose from.
pub fn behaviour(behaviour: Behaviour) -> &'static str {
    match behaviour {
        Behaviour::Works => "all goes well",
        Behaviour::NeverConfirms => "the new firmware never confirms itself",
        Behaviour::Crashes => "the new firmware crashes",
        Behaviour::Hangs => "the new firmware hangs",
        Behaviour::NoPort => "the new firmware has no port",
        Behaviour::LowBattery => "the battery is too low",
        Behaviour::Damaged => "the stored firmware is damaged",
    }
}

/// How an image in a slot stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It runs, or is what would be started, and is confirmed.
    Confirmed,
    /// It runs on trial: the board goes back unless it is confirmed.
    OnTrial,
    /// It is exchanged with the other one at the next restart.
    Pending,
    /// It lies there.
    Stored,
}

impl Standing {
    /// Of an image in a slot.
    pub fn of(image: &SlotImage) -> Self {
        match (image.slot, image.pending, image.confirmed, image.active) {
            (_, true, _, _) => Self::Pending,
            (0, _, true, _) => Self::Confirmed,
            (0, _, false, true) => Self::OnTrial,
            _ => Self::Stored,
        }
    }
}

/// How an image stands, in a word.
pub fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Confirmed => "confirmed",
        Standing::OnTrial => "testing",
        Standing::Pending => "next",
        Standing::Stored => "stored",
    }
}

/// A slot's name for people, and the field's term for it.
pub fn slot_name(slot: u32) -> (String, &'static str) {
    match slot {
        0 => ("Running".into(), "Primary slot"),
        1 => ("Second slot".into(), "Secondary slot"),
        other => (format!("Slot {other}"), "Slot"),
    }
}

/// What people call the board.
pub fn board_name(board: &BoardInfo) -> &str {
    board
        .name
        .as_deref()
        .filter(|name| !name.is_empty())
        .unwrap_or("A board")
}

/// What the board does, beside the version that it runs; nothing where it does not say.
pub fn role(board: &BoardInfo) -> &'static str {
    let running = board.running();
    let testing = running.is_some_and(|image| Standing::of(image) == Standing::OnTrial);
    match board.role {
        Some(Role::Bootloader) => "in bootloader mode",
        Some(Role::Application) if testing => "testing, not confirmed yet",
        Some(Role::Application) if running.is_some() => "running",
        _ => "",
    }
}

/// Why the board is in its bootloader, or what it last went through.
pub fn remark(board: &BoardInfo) -> Option<String> {
    let in_bootloader = board.role == Some(Role::Bootloader);
    if let Some(state) = board.state.filter(|_| in_bootloader) {
        return Some(words::state(state).to_string());
    }
    let newest = board.journal.as_deref().and_then(<[_]>::first);
    if let Some(update) = newest.filter(|update| update.outcome == JournalOutcome::Golden) {
        return Some(words::came_of(update));
    }
    let back = board.rollback.as_ref()?;
    Some(match &back.from {
        Some(from) => words::rolled_back(&spelled(from), Some(back.reason)),
        None => words::rolled_back(labels().last_update, Some(back.reason)),
    })
}

/// How an update that the board remembers ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It has not: the image is on trial.
    Open,
    /// Confirmed.
    Good,
    /// Rolled back, or never started.
    Back,
    /// The golden image took its place.
    Golden,
}

/// How an update that the board remembers ended.
pub fn mark(update: &JournalEntry) -> Mark {
    match update.outcome {
        JournalOutcome::Confirmed => Mark::Good,
        JournalOutcome::RolledBack | JournalOutcome::Refused => Mark::Back,
        JournalOutcome::Golden => Mark::Golden,
        _ => Mark::Open,
    }
}

/// What the board remembers of its last updates, newest first. A record that an image is on trial is out of date once the
/// image itself is confirmed: boards write their records when they next start.
pub fn last_updates(board: &BoardInfo) -> Vec<JournalEntry> {
    let mut entries = board.journal.clone().unwrap_or_default();
    let confirmed = board.running().filter(|image| image.confirmed);
    let runs = |to| confirmed.is_some_and(|image| spelled(&image.version) == words::release(to));
    for entry in entries.iter_mut().take(1) {
        if entry.outcome == JournalOutcome::Trial && runs(entry.to) {
            entry.outcome = JournalOutcome::Confirmed;
        }
    }
    entries
}

/// When an update was that the board remembers, as the board counts.
pub fn past_start(update: &JournalEntry) -> String {
    format!("At start {} of the board", update.start)
}

/// How many boards there are.
pub fn board_count(ready: bool, count: usize) -> String {
    match (ready, count) {
        (false, _) => "Starting".into(),
        (true, 0) => "No board".into(),
        (true, 1) => "1 board".into(),
        (true, count) => format!("{count} boards"),
    }
}

/// What the saved images are for, and how much room they take.
pub fn kept_summary(room: u32) -> String {
    format!(
        "{} in this browser. A board that runs one of these versions can be updated by sending only what changed.",
        bytes(room)
    )
}

/// The updates that are not shown at once.
pub fn earlier(count: usize) -> String {
    format!("{count} earlier")
}

/// A label with a number behind it.
pub fn counted(label: &str, count: usize) -> String {
    format!("{label} ({count})")
}

/// A button's label with what it acts on, for those who hear it without its surroundings.
pub fn named(label: &str, name: &str) -> String {
    format!("{label}: {name}")
}

/// What a board is called beside others.
pub fn board_label(board: Option<&BoardInfo>, number: u32) -> String {
    let said = board.and_then(|board| {
        let texts = [board.serial.as_ref(), board.name.as_ref()];
        texts.into_iter().flatten().find(|text| !text.is_empty())
    });
    said.map_or_else(|| format!("Board {number}"), Clone::clone)
}

/// What a key is called at first: its file's name, and its number where the file holds several.
pub fn key_name(file: &str, number: u32, count: usize) -> String {
    match count {
        1 => file.to_string(),
        _ => format!("{file} ({number})"),
    }
}

/// What kind of key it is and when it was added.
pub fn key_kind(algorithm: &str, added: &str) -> String {
    match added {
        "" => algorithm.to_string(),
        added => format!("{algorithm}, added on {added}"),
    }
}

/// A file is being read.
pub fn reading(file: &str) -> String {
    format!("Reading {file}")
}

/// A board's security counter, and what that is for.
pub fn board_counter(counter: u32) -> String {
    format!("{counter} (firmware below it is refused)")
}
