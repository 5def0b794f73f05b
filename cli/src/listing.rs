//! `bootlace ports`: which boards this machine sees.

use std::process::ExitCode;

use bootlace_engine::words::terminal;
use bootlace_host::{Address, Listed, listed};

use crate::{json, report};

/// How to tell of them.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Write a line of JSON for each.
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> crate::problem::Result {
    let listed = listed();
    if arguments.json {
        listed.iter().map(json::listed).for_each(report::json);
    } else if listed.is_empty() {
        report::line(terminal::nothing_listed());
    } else {
        listed.iter().map(line).for_each(report::line);
    }
    Ok(ExitCode::SUCCESS)
}

fn line(listed: &Listed) -> String {
    let ways: Vec<_> = listed.ways.iter().map(Address::to_string).collect();
    terminal::listed(&ways, listed.product.as_deref(), listed.serial.as_deref())
}
