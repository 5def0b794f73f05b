//! Drives the page at a URL through the main job on its simulated board: `main-job URL SCREENSHOTS`.

use std::path::Path;

use anyhow::{Context as _, Result};
use bootlace_tests::browser::Browser;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: main-job URL SCREENSHOTS";
    let (url, folder) = (arguments.next().context(usage)?, arguments.next().context(usage)?);
    let profile = std::env::temp_dir().join(format!("bootlace-profile-{}", std::process::id()));
    let result = Browser::start(&profile)
        .and_then(|mut page| bootlace_tests::main_job::check(&mut page, &url, Path::new(&folder)));
    std::fs::remove_dir_all(&profile).ok();
    result
}
