//! How things look on a terminal and in a pipe.

use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::sync::OnceLock;

use bootlace_engine::words::{self, Sentence, terminal};
use bootlace_engine::{Event, FindReason, Outcome, Phase, Progress, SlotImage, visible};
use bootlace_host::Notice;
use serde_json::Value;

use crate::json;
use crate::patch::Patch;
use crate::problem::Problem;

/// The first error of the standard output that is not a reader who has gone.
static FAILED: OnceLock<String> = OnceLock::new();

/// Writes to the standard output at once. A reader that has gone is none of our business, and the work goes on; anything
/// else is kept for [`unwritten`].
fn put(text: impl Display) {
    let mut out = std::io::stdout().lock();
    if let Err(error) = write!(out, "{text}").and_then(|()| out.flush())
        && error.kind() != ErrorKind::BrokenPipe
    {
        _ = FAILED.set(error.to_string());
    }
}

/// Why the standard output did not take all that was written to it.
pub(crate) fn unwritten() -> Option<Sentence> {
    let why = FAILED.get()?;
    Some(words::files::unwritable("The standard output", why))
}

/// Bytes on the standard output as they are.
pub(crate) fn bytes(bytes: &[u8]) {
    put(String::from_utf8_lossy(bytes));
}

/// One line of JSON on the standard output, with the number of the form that it has.
pub(crate) fn json(mut value: Value) {
    value["schema"] = json::SCHEMA.into();
    put(format_args!("{value}\n"));
}

/// Text on the standard output. Names of files, boards and devices are in it, which strangers may have chosen.
pub(crate) fn text(text: impl Display) {
    put(visible(&text.to_string()));
}

/// A line on the standard output.
pub(crate) fn line(line: impl Display) {
    text(format_args!("{line}\n"));
}

/// A remark that is no reason to give up.
pub(crate) fn warning(text: &str) {
    told(format_args!("bootlace: {text}"));
}

/// The same, with the next step to take.
pub(crate) fn remark(sentence: &Sentence) {
    told(format_args!("bootlace: {}\n  {}", sentence.what, sentence.next));
}

/// Says why a command gives up.
pub(crate) fn problem(problem: &Problem, as_json: bool) {
    if as_json {
        json(json::problem(problem));
    } else {
        remark(&problem.sentence);
        if let Some(developers) = problem.sentence.developers {
            told(format_args!("  {developers}"));
        }
    }
}

/// A line on the standard error, whose reader may have gone.
fn told(line: impl Display) {
    _ = writeln!(std::io::stderr(), "{}", visible(&line.to_string()));
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

    /// What the driver says.
    pub(crate) fn notice(&mut self, notice: &Notice) {
        match (notice, self.style) {
            (Notice::Port(address), Style::Json) => json(json::port(address)),
            (Notice::Port(address), _) => self.line(&terminal::port_opened(address)),
            (Notice::Session(event), Style::Json) => {
                if let Some(value) = json::event(event) {
                    json(value);
                }
            }
            (Notice::Session(event), _) => self.event(event),
        }
    }

    /// What has to be known before the update goes on.
    pub(crate) fn warning(&mut self, name: &str, text: &str) {
        match self.style {
            Style::Json => json(json::warning(name, text)),
            _ => self.line(text),
        }
    }

    /// What became of the patch, which the session does not make; `running` is what the board runs.
    pub(crate) fn patch(&mut self, patch: &Patch, running: Option<&SlotImage>) {
        match patch {
            _ if self.style == Style::Json => json(json::patch(patch, running)),
            Patch::Made { base, saving, .. } => self.line(&terminal::patch_made(base.display(), saving)),
            Patch::None(reason) => self.line(&terminal::no_patch_made(*reason, running)),
        }
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Board(board) => {
                self.missing = false;
                let line = terminal::board(board);
                if line != self.board {
                    self.line(&line);
                    self.board = line;
                }
            }
            Event::Phase(Phase::Ready) => {}
            Event::Phase(phase) => self.line(words::phase(*phase)),
            Event::Progress(progress) => self.progress(progress),
            Event::Resumed { offset } => self.line(&terminal::resumed(*offset)),
            Event::WholeInstead(reason) => {
                self.tenths = 0;
                self.line(&words::no_patch(*reason));
            }
            Event::FindBoard { wanted } if wanted.reason == FindReason::Unplugged && !self.missing => {
                self.missing = true;
                self.line(terminal::looking());
            }
            Event::Attention(attention) => self.line(words::attention(*attention)),
            Event::Outcome(outcome) => {
                self.line(&words::outcome(outcome));
                if let Outcome::RolledBack { reason, .. } = outcome {
                    self.line(&format!("  {}", words::after_rollback(*reason)));
                }
            }
            _ => {}
        }
    }

    fn line(&mut self, text: &str) {
        let end = if std::mem::take(&mut self.bar) { "\n" } else { "" };
        self::text(format_args!("{end}{text}\n"));
    }

    fn progress(&mut self, progress: &Progress) {
        let (done, total) = (u64::from(progress.done), u64::from(progress.total.max(1)));
        if self.style == Style::Plain {
            let tenths = done * 10 / total;
            if tenths > self.tenths || done == 0 {
                self.line(&terminal::progress(progress));
            }
            self.tenths = tenths;
            return;
        }
        const WIDTH: u64 = 24;
        let full = (done * WIDTH / total) as usize;
        let bar = format!("{}{}", "#".repeat(full), "-".repeat(WIDTH as usize - full));
        // Clears what a longer line left behind.
        put(format_args!("\r[{bar}] {}\x1b[K", terminal::progress(progress)));
        self.bar = true;
        if done == total {
            self.line("");
        }
    }
}
