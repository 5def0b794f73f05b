//! Real firmware to update to and fro: Pybricks' (MIT), two versions for some boards.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::{cache, debian, web};
use crate::process;

/// The names of the two versions in `xtask/npm/package.json`.
const PACKAGES: [&str; 2] = ["pybricks-old", "pybricks-new"];

/// The versions of npm's `@pybricks/firmware`, old and new.
pub(crate) const VERSIONS: [&str; 2] = ["7.27.0", "7.28.0"];

/// The largest and the smallest are updated to and fro; all of them together make a megabyte to compare.
const BOARDS: [&str; 5] = ["primehub", "movehub", "essentialhub", "technichub", "cityhub"];

/// The folder with `BOARD-VERSION.bin`.
pub(crate) fn folder() -> Result<PathBuf> {
    let edition = format!("{}-{}", VERSIONS.join("-"), BOARDS.len());
    cache::ensure("firmware", &edition, |home| {
        let packages = web::npm_packages()?;
        for (package, version) in PACKAGES.into_iter().zip(VERSIONS) {
            let package = packages.join(package);
            for board in BOARDS {
                let archive = package.join(format!("build/{board}.zip"));
                let image = home.join(format!("{board}-{version}.bin"));
                unzip(&archive, "firmware-base.bin", &image)?;
            }
            fs::copy(package.join("LICENSE"), home.join("LICENSE"))?;
        }
        Ok(())
    })
}

/// Takes one file out of an archive. Python is there anyway, `unzip` often is not.
fn unzip(archive: &Path, member: &str, to: &Path) -> Result<()> {
    const PROGRAM: &str =
        "import sys, zipfile; open(sys.argv[3], 'wb').write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))";
    if process::find("python3").is_none() {
        debian::install(&["python3"])?;
    }
    let mut command = Command::new("python3");
    process::output(command.args(["-c", PROGRAM]).arg(archive).arg(member).arg(to))
        .with_context(|| format!("{} has no {member}", archive.display()))?;
    Ok(())
}
