//! The browser that tests drive.

use std::path::PathBuf;

use anyhow::{Result, bail};

use super::debian;
use crate::process;

/// A browser and the program that drives it.
pub(crate) struct Browser {
    /// Chromium or Chrome.
    pub(crate) chromium: PathBuf,
    /// Its driver.
    pub(crate) driver: PathBuf,
}

/// The installed browser; installed the first time.
pub(crate) fn browser() -> Result<Browser> {
    if let Some(browser) = installed() {
        return Ok(browser);
    }
    debian::install(&["chromium", "chromium-driver"])?;
    match installed() {
        Some(browser) => Ok(browser),
        None => bail!("no chromium and chromedriver on PATH; install Debian's chromium and chromium-driver"),
    }
}

fn installed() -> Option<Browser> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let chromium = chosen("BOOTLACE_CHROMIUM").or_else(|| names.into_iter().find_map(process::find))?;
    let driver = chosen("BOOTLACE_CHROMEDRIVER").or_else(|| process::find("chromedriver"))?;
    Some(Browser { chromium, driver })
}

/// A person may prefer a browser of their own.
fn chosen(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable)
        .map(PathBuf::from)
        .filter(|path| path.is_file())
}
