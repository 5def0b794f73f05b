//! `bootlace`: the update engine on the command line.
#![forbid(unsafe_code)]

mod board;
mod delta;
mod driver;
mod file;
mod image;
mod patch;
mod port;
mod report;
#[cfg(unix)]
mod simulate;
mod update;

use std::process::ExitCode;

use bootlace_engine::words::Sentence;
use clap::{Parser, Subcommand};

/// Updates the firmware of microcontrollers: the engine of the web page, for build machines.
#[derive(Debug, Parser)]
#[command(name = "bootlace", version, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Look at signed images.
    #[command(subcommand)]
    Image(image::Command),
    /// Patches: what changed between two images, for slow lines.
    #[command(subcommand)]
    Delta(delta::Command),
    /// Bring a board to an image: send it, have it tried, see it confirmed or taken back.
    Update(update::Arguments),
    /// Ask a board what it is, what it runs, and what became of its last updates.
    Board(board::Arguments),
    /// A board without hardware: the companion's own code on simulated flash, behind a pseudo-terminal.
    #[cfg(unix)]
    Simulate(simulate::Arguments),
}

/// How a command ends that did its work, or why it did not.
type Result = std::result::Result<ExitCode, Problem>;

/// A reason to give up, for people and for scripts.
#[derive(Debug)]
struct Problem {
    sentence: Sentence,
    code: u8,
    /// The state that it went wrong in, where there are states.
    phase: Option<&'static str>,
}

/// Exit codes; 2 is clap's, for arguments that make no sense.
mod code {
    /// Nothing was changed.
    pub(crate) const REFUSED: u8 = 1;
    /// The board took the old image back, or never started the new one.
    pub(crate) const ROLLED_BACK: u8 = 3;
    /// The new image was marked or started, and what became of it is not known.
    pub(crate) const UNKNOWN: u8 = 4;
}

impl From<Sentence> for Problem {
    fn from(sentence: Sentence) -> Self {
        let code = if sentence.unharmed {
            code::REFUSED
        } else {
            code::UNKNOWN
        };
        Problem {
            sentence,
            code,
            phase: None,
        }
    }
}

fn main() -> ExitCode {
    let (result, json) = match Arguments::parse().command {
        Command::Image(command) => (image::run(&command), command.json()),
        Command::Delta(command) => (delta::run(&command), command.json()),
        Command::Board(arguments) => (board::run(&arguments), arguments.json),
        Command::Update(arguments) => (update::run(&arguments), arguments.json),
        #[cfg(unix)]
        Command::Simulate(arguments) => {
            return match simulate::run(&arguments) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    eprintln!("bootlace: {error:#}");
                    ExitCode::FAILURE
                }
            };
        }
    };
    result.unwrap_or_else(|problem| {
        report::problem(&problem, json);
        ExitCode::from(problem.code)
    })
}
