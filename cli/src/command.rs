//! `bootlace test|confirm|erase|reset`: one thing asked of a board.

use std::process::ExitCode;

use bootlace_engine::words::terminal;
use bootlace_engine::{Command, Event};
use bootlace_host::Notice;

use crate::port_arguments::Ports;
use crate::problem::Problem;
use crate::{json, report};

/// Which board, and how to tell of it.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    ports: Ports,
    /// Write a line of JSON for each thing that happens.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The same, for a restart.
#[derive(Debug, clap::Args)]
pub(crate) struct Reset {
    #[command(flatten)]
    pub(crate) arguments: Arguments,
    /// Stay in the bootloader.
    #[arg(long)]
    bootloader: bool,
}

impl Reset {
    pub(crate) fn run(&self) -> crate::problem::Result {
        let bootloader = self.bootloader;
        run(&self.arguments, Command::Reset { bootloader })
    }
}

pub(crate) fn run(arguments: &Arguments, command: Command) -> crate::problem::Result {
    let mut driver = arguments.ports.connect(|_| {})?;
    driver.until_ready()?;
    let board = driver.session.board();
    if command == Command::Test && board.is_some_and(|board| board.other().is_none()) {
        return Err(terminal::nothing_to_test().into());
    }
    let now = driver.now();
    driver.session.command(now, command)?;
    loop {
        match driver.next_notice() {
            Notice::Session(Event::Done(done)) if done == command => break,
            Notice::Session(Event::Failed(failure)) => return Err(Problem::from(&failure)),
            _ => {}
        }
    }
    if let Some(board) = driver.session.board() {
        if arguments.json {
            report::json(json::done(command));
            report::json(json::board(board));
        } else {
            report::line(terminal::done(command, board));
        }
    }
    Ok(ExitCode::SUCCESS)
}
