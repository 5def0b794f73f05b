//! Drives the page at a URL through the main job on its simulated board: `main-job URL SCREENSHOTS`.

use std::path::Path;

use anyhow::{Context as _, Result};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: main-job URL SCREENSHOTS";
    let (url, folder) = (arguments.next().context(usage)?, arguments.next().context(usage)?);
    bootlace_browser::main_job::check(&url, Path::new(&folder))
}
