//! `bootlace`: the update engine on the command line.
#![forbid(unsafe_code)]

mod simulate;

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
    /// A board without hardware: the companion's own code on simulated flash, behind a pseudo-terminal.
    Simulate(simulate::Arguments),
}

fn main() -> std::process::ExitCode {
    let result = match Arguments::parse().command {
        Command::Simulate(arguments) => simulate::run(&arguments),
    };
    match result {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bootlace: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}
