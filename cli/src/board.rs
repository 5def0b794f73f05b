//! `bootlace board`: what a board says of itself, and its last updates.

use std::process::ExitCode;

use bootlace_engine::words;
use bootlace_engine::{BoardInfo, Command, Event, JournalEntry, JournalOutcome};
use serde_json::{Value, json};

use crate::Problem;
use crate::driver::{Driver, Ports, problem};
use crate::report::{self, Table};

/// Which board, and how to tell of it.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    ports: Ports,
    /// Write JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> crate::Result {
    let mut driver = Driver::silent(&arguments.ports)?;
    driver.until_ready()?;
    let now = driver.now();
    let asked = driver.session.journal(now);
    if asked.map_err(|error| Problem::from(words::error(&error)))? {
        loop {
            match driver.next() {
                Event::Done(Command::Journal) => break,
                Event::Failed(failure) => return Err(problem(&failure)),
                _ => {}
            }
        }
    }
    if let Some(board) = driver.session.board() {
        if arguments.json {
            report::json(&as_json(board));
        } else {
            report::text(&table(board));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn table(board: &BoardInfo) -> Table {
    let mut table = Table::new(board.name.as_deref().unwrap_or("A board without a name"));
    if let Some(serial) = &board.serial {
        table.row("Serial number", serial);
    }
    if let Some(companion) = &board.companion {
        table.row("Companion", companion);
    }
    match board.running() {
        Some(image) if board.starts_nothing().is_some() => {
            table.row("Runs", format!("nothing: {} can't be started", image.version));
        }
        Some(image) if image.confirmed => table.row("Runs", &image.version),
        Some(image) => table.row("Runs", format!("{}, on trial", image.version)),
        None => table.row("Runs", "nothing"),
    }
    if let Some(other) = board.other() {
        table.row("Second slot", &other.version);
    }
    if let Some(golden) = board.golden {
        table.row("Golden image", words::release(golden));
    }
    if let Some(counter) = board.counter {
        table.row("Security counter", counter);
    }
    if let Some(supply) = &board.supply {
        table.row("Supply", words::supply(supply));
    }
    if let Some(state) = board.state {
        table.note(words::state(state));
    }
    if board.starts_nothing().is_some() {
        table.note("Send it an image that is signed for it: bootlace update.");
    }
    match board.journal.as_deref() {
        Some([]) => table.note("No updates yet."),
        Some(updates) => table.note(&history(updates)),
        None => {}
    }
    table
}

/// Newest first.
fn history(updates: &[JournalEntry]) -> String {
    let lines = updates.iter().map(|update| {
        format!(
            "start {:>5}  {}: {}",
            update.start,
            words::from_to(update),
            words::came_of(update)
        )
    });
    std::iter::once("Last updates, newest first:".to_owned())
        .chain(lines)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Its reason means something.
fn failed(update: &JournalEntry) -> bool {
    !matches!(update.outcome, JournalOutcome::Trial | JournalOutcome::Confirmed)
}

fn as_json(board: &BoardInfo) -> Value {
    let mut value = report::board_json(board);
    value["second"] = json!(board.other().map(|image| json!({
        "version": image.version,
        "hash": words::hex(&image.hash),
    })));
    value["golden"] = json!(board.golden.map(words::release));
    value["supply"] = json!(board.supply.map(|supply| json!({
        "level": supply.level,
        "limit": supply.limit,
        "unit": if supply.percent { "percent" } else { "millivolts" },
        "low": supply.is_low(),
    })));
    value["state"] = json!(board.state.map(|state| format!("{state:?}")));
    value["journal"] = json!(board.journal.as_deref().map(|updates| {
        updates
            .iter()
            .map(|update| {
                json!({
                    "from": words::release(update.from),
                    "to": words::release(update.to),
                    "start": update.start,
                    "outcome": format!("{:?}", update.outcome),
                    "reason": failed(update).then(|| format!("{:?}", update.reason)),
                    "what": words::came_of(update),
                })
            })
            .collect::<Vec<_>>()
    }));
    value
}
