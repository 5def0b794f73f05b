//! How things look on a terminal and in a pipe.

use std::fmt::{self, Display, Write as _};
use std::io::{IsTerminal as _, Write as _};

use bootlace_engine::words;
use bootlace_engine::{BoardInfo, Content, Event, FindReason, Outcome, Phase, Progress, Role, Unchanged};
use serde_json::{Value, json};

use crate::Problem;
use crate::patch::Patch;

/// One line of JSON on the standard output; whoever reads it may have gone.
pub(crate) fn json(value: &Value) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{value}").and_then(|()| out.flush());
}

/// A table on the standard output; whoever reads it may have gone.
pub(crate) fn text(table: &Table) {
    let _ = write!(std::io::stdout(), "{table}");
}

/// Says why a command gives up.
pub(crate) fn problem(problem: &Problem, as_json: bool) {
    let sentence = &problem.sentence;
    if as_json {
        json(&json!({
            "event": "error",
            "error": sentence.name,
            "phase": problem.phase,
            "what": sentence.what,
            "next": sentence.next,
            "unharmed": sentence.unharmed,
        }));
    } else {
        eprintln!("bootlace: {}", sentence.what);
        eprintln!("  {}", sentence.next);
    }
}

/// Names on the left, values on the right, remarks below.
#[derive(Debug)]
pub(crate) struct Table {
    title: String,
    rows: Vec<(&'static str, String)>,
    notes: Vec<String>,
}

impl Table {
    pub(crate) fn new(title: &str) -> Self {
        Table {
            title: title.into(),
            rows: Vec::new(),
            notes: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, name: &'static str, value: impl Display) {
        self.rows.push((name, value.to_string()));
    }

    pub(crate) fn note(&mut self, note: &str) {
        self.notes.push(note.into());
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        writeln!(f, "{}", self.title)?;
        for (name, value) in &self.rows {
            writeln!(f, "  {name:<width$}  {value}")?;
        }
        for note in &self.notes {
            writeln!(f)?;
            for line in note.lines() {
                writeln!(f, "  {line}")?;
            }
        }
        Ok(())
    }
}

/// What is told about an update while it goes on.
#[derive(Debug)]
pub(crate) struct Reporter {
    style: Style,
    /// A progress bar stands on the current line.
    bar: bool,
    /// Tenths of the upload told so far, where there is no bar.
    tenths: u64,
    /// It was told that the board is gone.
    missing: bool,
    /// What was told about the board last.
    board: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Json,
    Terminal,
    Plain,
    Silent,
}

impl Reporter {
    pub(crate) fn new(as_json: bool) -> Self {
        let style = match (as_json, std::io::stdout().is_terminal()) {
            (true, _) => Style::Json,
            (false, true) => Style::Terminal,
            (false, false) => Style::Plain,
        };
        Reporter {
            style,
            bar: false,
            tenths: 0,
            missing: false,
            board: String::new(),
        }
    }

    /// One that tells nothing.
    pub(crate) fn silent() -> Self {
        Reporter {
            style: Style::Silent,
            ..Reporter::new(false)
        }
    }

    /// A line about ports, which the session knows nothing of.
    pub(crate) fn port(&mut self, path: &str) {
        if self.style == Style::Silent {
            return;
        }
        if self.style == Style::Json {
            json(&json!({ "event": "port", "port": path }));
        } else {
            self.line(&format!("Port {path}"));
        }
    }

    /// What became of the patch, which the session does not make.
    pub(crate) fn patch(&mut self, patch: &Patch) {
        match patch {
            _ if self.style == Style::Json => json(&patch_json(patch)),
            Patch::Made { base, saving, .. } => {
                let saves = words::saving(saving);
                self.line(&format!(
                    "Only what changed since {} is sent: {saves}",
                    base.display()
                ));
            }
            Patch::None { why, .. } => self.line(why),
        }
    }

    pub(crate) fn event(&mut self, event: &Event) {
        if self.style == Style::Silent {
            return;
        }
        if self.style == Style::Json {
            if let Some(value) = event_json(event) {
                json(&value);
            }
            return;
        }
        match event {
            Event::Board(board) => {
                self.missing = false;
                let line = board_line(board);
                if line != self.board {
                    self.line(&line);
                    self.board = line;
                }
            }
            Event::Phase(Phase::Ready) => {}
            Event::Phase(phase) => self.line(words::phase(*phase)),
            Event::Progress(progress) => self.progress(progress),
            Event::Resumed { offset } => {
                self.line(&format!(
                    "The board holds the first {} already",
                    words::bytes(*offset)
                ));
            }
            Event::WholeInstead(reason) => {
                self.tenths = 0;
                self.line(&words::no_patch(*reason));
            }
            Event::FindBoard {
                reason: FindReason::Unplugged,
                ..
            } if !self.missing => {
                self.missing = true;
                self.line("The board is gone; looking for it");
            }
            Event::Attention(attention) => self.line(words::attention(*attention)),
            Event::Outcome(outcome) => {
                self.line(&words::outcome(outcome));
                if let Outcome::RolledBack { failed, reason, .. } = outcome {
                    let version = words::version(*failed);
                    self.line(&format!("  {}", words::after_rollback(&version, *reason)));
                }
            }
            _ => {}
        }
    }

    fn line(&mut self, text: &str) {
        let end = if std::mem::take(&mut self.bar) { "\n" } else { "" };
        // Whoever reads it may have gone; the update goes on.
        let _ = writeln!(std::io::stdout(), "{end}{text}");
    }

    fn progress(&mut self, progress: &Progress) {
        let (done, total) = (u64::from(progress.done), u64::from(progress.total.max(1)));
        if self.style == Style::Plain {
            let tenths = done * 10 / total;
            if tenths > self.tenths || done == 0 {
                self.line(&figures(progress));
            }
            self.tenths = tenths;
            return;
        }
        const WIDTH: u64 = 24;
        let full = (done * WIDTH / total) as usize;
        let bar = format!("{}{}", "#".repeat(full), "-".repeat(WIDTH as usize - full));
        // Clears what a longer line left behind.
        let mut out = std::io::stdout();
        let _ = write!(out, "\r[{bar}] {}\x1b[K", figures(progress)).and_then(|()| out.flush());
        self.bar = true;
        if done == total {
            self.line("");
        }
    }
}

fn figures(progress: &Progress) -> String {
    let percent = u64::from(progress.done) * 100 / u64::from(progress.total.max(1));
    let mut text = format!(
        "{percent:>3} %  {} of {}",
        words::bytes(progress.done),
        words::bytes(progress.total)
    );
    if let Some(rate) = progress.rate {
        let _ = write!(text, "  {}", words::rate(rate));
    }
    if let Some(remaining) = progress.remaining {
        let _ = write!(text, "  {} left", words::time(remaining));
    }
    text
}

fn board_line(board: &BoardInfo) -> String {
    let mut text = board.name.clone().unwrap_or_else(|| "A board".into());
    if let Some(serial) = &board.serial {
        let _ = write!(text, " {serial}");
    }
    text.push_str(match board.role {
        Some(Role::Bootloader) => ", in its bootloader",
        Some(Role::Application) => ", running its application",
        _ => "",
    });
    match board.running() {
        Some(running) => {
            let trial = if running.confirmed { "" } else { ", on trial" };
            let _ = write!(text, ": version {}{trial}", running.version);
        }
        None => text.push_str(": nothing to run"),
    }
    if let Some(rollback) = &board.rollback {
        let _ = write!(
            text,
            "\n  Before, it took {} back: {}",
            rollback.from.as_deref().unwrap_or("an image"),
            words::rollback(rollback.reason)
        );
    }
    text
}

/// What a board says of itself.
pub(crate) fn board_json(board: &BoardInfo) -> Value {
    json!({
    "event": "board",
        "name": board.name,
        "serial": board.serial,
        "role": match board.role {
            Some(Role::Bootloader) => Some("bootloader"),
            Some(Role::Application) => Some("application"),
            _ => None,
        },
        "companion": board.companion,
        "running": board.running().map(|image| json!({
            "version": image.version,
            "hash": words::hex(&image.hash),
            "confirmed": image.confirmed,
        })),
        "counter": board.counter,
        "frame": board.frame,
        "window": board.window,
    })
}

fn patch_json(patch: &Patch) -> Value {
    match patch {
        Patch::Made {
            base, saving, took, ..
        } => json!({
            "event": "patch",
            "base": base.display().to_string(),
            "bytes": saving.patch,
            "image_bytes": saving.image,
            "making_seconds": took.as_secs_f64(),
            "saves_seconds": saving.time.map(|time| time.as_secs_f64()),
        }),
        Patch::None { name, why } => json!({ "event": "no-patch", "reason": name, "what": why }),
    }
}

fn event_json(event: &Event) -> Option<Value> {
    Some(match event {
        Event::Board(board) => board_json(board),
        Event::Phase(phase) => json!({ "event": "phase", "phase": phase.name() }),
        Event::Progress(progress) => json!({
            "event": "progress",
            "phase": progress.phase.name(),
            "content": match progress.content {
                Content::Image => "image",
                Content::Patch => "patch",
            },
            "done": progress.done,
            "total": progress.total,
            "rate": progress.rate,
            "remaining": progress.remaining.map(|time| time.as_secs_f64()),
        }),
        Event::WholeInstead(reason) => json!({
            "event": "whole-instead",
            "reason": reason.name(),
            "what": words::no_patch(*reason),
        }),
        Event::Resumed { offset } => json!({ "event": "resumed", "offset": offset }),
        Event::Attention(attention) => json!({
            "event": "attention",
            "attention": format!("{attention:?}"),
            "what": words::attention(*attention),
        }),
        Event::Outcome(outcome) => {
            let mut value = match outcome {
                Outcome::Confirmed { version, took } => json!({
                    "outcome": "confirmed",
                    "version": version.to_string(),
                    "seconds": took.as_secs_f64(),
                }),
                Outcome::RolledBack {
                    reason,
                    version,
                    failed,
                } => json!({
                    "outcome": "rolled-back",
                    "reason": reason.map(|reason| format!("{reason:?}")),
                    "version": version,
                    "failed": failed.to_string(),
                }),
                Outcome::Unchanged { reason, version } => json!({
                    "outcome": match reason {
                        Unchanged::AlreadyRuns => "already-runs",
                        Unchanged::Cancelled => "cancelled",
                        Unchanged::NotStarted => "not-started",
                    },
                    "version": version,
                }),
            };
            value["event"] = "outcome".into();
            value["what"] = words::outcome(outcome).into();
            value
        }
        _ => return None,
    })
}
