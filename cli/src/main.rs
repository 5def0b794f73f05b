//! `bootlace`: the update engine on the command line.
#![forbid(unsafe_code)]

mod board;
mod bootloader_file;
mod command;
mod companion;
mod delta;
mod file;
mod image;
mod install;
mod json;
mod keys;
mod listing;
mod manual;
mod memory;
mod patch;
mod port_arguments;
mod problem;
mod report;
mod sign;
#[cfg(unix)]
mod simulate;
mod update;
mod values;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

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
    /// Make keys, and look at public ones.
    #[command(subcommand)]
    Key(keys::Command),
    /// Companions made to measure: whose images a board runs, what it is called, which rules it keeps.
    #[command(subcommand)]
    Companion(companion::Command),
    /// The first install: put a companion into a chip that has none, by the loader that the chip came with.
    Install(install::Arguments),
    /// Patches: what changed between two images, for slow lines.
    #[command(subcommand)]
    Delta(delta::Command),
    /// Bring a board to an image: send it, have it tried, see it confirmed or taken back.
    Update(update::Arguments),
    /// Ask a board what it is, what it runs, and what became of its last updates.
    #[command(visible_alias = "list")]
    Board(board::Arguments),
    /// Have the image in a board's other slot tried at its next restart, which “reset” asks for.
    Test(command::Arguments),
    /// Confirm the image that a board runs: the board keeps it.
    Confirm(command::Arguments),
    /// Erase a board's other slot, and with it the way back to the image before.
    Erase(command::Arguments),
    /// Restart a board, and wait until it answers.
    Reset(command::Reset),
    /// List the boards on USB and the serial ports of USB devices, with their names for --port. Nobody is asked anything.
    Ports(listing::Arguments),
    /// Write what a shell needs to complete commands and options, for its start-up file: source <(bootlace completions bash).
    Completions(manual::Completions),
    /// Write manual pages: bootlace man ~/.local/share/man/man1.
    Man(manual::Man),
    /// A board without hardware: the companion's own code on simulated flash, behind a pseudo-terminal.
    #[cfg(unix)]
    Simulate(simulate::Arguments),
}

/// Says what is wrong with the arguments, to a script as well; or gives the help that was asked for.
fn misused(error: &clap::Error) -> ExitCode {
    let wants_json = std::env::args_os().any(|argument| argument == "--json");
    if error.use_stderr() && wants_json {
        let text = error.to_string();
        // The first paragraph names the fault, and the last one how to get help.
        let what = text.split("\n\n").next().unwrap_or_default();
        report::json(json::misused(what.trim_start_matches("error: ")));
        return ExitCode::from(problem::code::MISUSED);
    }
    // Nobody is left to be told where this can't be written.
    _ = error.print();
    match error.use_stderr() {
        true => ExitCode::from(problem::code::MISUSED),
        false => ExitCode::SUCCESS,
    }
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return misused(&error),
    };
    let (result, json) = match arguments.command {
        Command::Image(command) => (image::run(&command), command.json()),
        Command::Key(command) => (keys::run(&command), command.json()),
        Command::Companion(command) => (companion::run(&command), command.json()),
        Command::Install(arguments) => (install::run(&arguments), arguments.json),
        Command::Delta(command) => (delta::run(&command), command.json()),
        Command::Board(arguments) => (board::run(&arguments), arguments.json),
        Command::Test(it) => (command::run(&it, bootlace_engine::Command::Test), it.json),
        Command::Confirm(it) => (command::run(&it, bootlace_engine::Command::Confirm), it.json),
        Command::Erase(it) => (command::run(&it, bootlace_engine::Command::Erase), it.json),
        Command::Reset(it) => (it.run(), it.arguments.json),
        Command::Ports(arguments) => (listing::run(&arguments), arguments.json),
        Command::Completions(arguments) => (arguments.run(Arguments::command()), false),
        Command::Man(arguments) => (arguments.run(Arguments::command()), false),
        Command::Update(arguments) => (update::run(&arguments), arguments.json),
        #[cfg(unix)]
        Command::Simulate(arguments) => (simulate::run(&arguments), false),
    };
    let code = result.unwrap_or_else(|problem| {
        report::problem(&problem, json);
        ExitCode::from(problem.code)
    });
    match report::unwritten() {
        // What became of a board is the greater word.
        Some(sentence) => {
            report::remark(&sentence);
            match code == ExitCode::SUCCESS {
                true => ExitCode::from(problem::code::REFUSED),
                false => code,
            }
        }
        None => code,
    }
}
