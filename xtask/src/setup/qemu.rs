//! The emulator that boards run on.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use super::debian;
use crate::process;

const PROGRAM: &str = "qemu-system-arm";

/// `qemu-system-arm`, installed if it is missing.
pub(crate) fn program() -> Result<PathBuf> {
    if let Some(found) = process::find(PROGRAM) {
        return Ok(found);
    }
    debian::install(&[PROGRAM])?;
    process::find(PROGRAM).context("qemu-system-arm was installed but is not on PATH")
}
