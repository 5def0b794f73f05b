//! `bootlace board`: what a board says of itself, and its last updates.

use std::process::ExitCode;

use bootlace_engine::words::tables;
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
    /// Write JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> crate::problem::Result {
    let mut driver = arguments.ports.connect(|_| {})?;
    driver.until_ready()?;
    let now = driver.now();
    if driver.session.journal(now)? {
        loop {
            match driver.next_notice() {
                Notice::Session(Event::Done(Command::Journal)) => break,
                Notice::Session(Event::Failed(failure)) => return Err(Problem::from(&failure)),
                _ => {}
            }
        }
    }
    if let Some(board) = driver.session.board() {
        if arguments.json {
            report::json(json::whole_board(board));
        } else {
            report::text(tables::board(board));
        }
    }
    Ok(ExitCode::SUCCESS)
}
