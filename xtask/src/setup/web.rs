//! What builds the page: Trunk, wasm-bindgen and wasm-opt.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::{cache, debian};
use crate::process::{self, Step};
use crate::project;

const TRUNK: &str = "0.21.14";

/// wasm-opt comes in npm's `binaryen`; Debian's is years older than what the compiler emits.
const BINARYEN: &str = "132.0.0";

/// The folder with `trunk`.
pub(crate) fn trunk() -> Result<PathBuf> {
    // Without its default features Trunk can't download tools: it gets them from this cache.
    cargo_install("trunk", TRUNK, &["--locked", "--no-default-features"])
}

/// The folder with `wasm-bindgen` and `wasm-bindgen-test-runner`, of exactly the version in Cargo.lock.
pub(crate) fn wasm_bindgen() -> Result<PathBuf> {
    let version = project::locked_version("wasm-bindgen")?;
    let version = version.context("Cargo.lock names no wasm-bindgen: is the page in this checkout?")?;
    cargo_install(
        "wasm-bindgen-cli",
        &version,
        &["--locked", "--no-default-features"],
    )
}

/// The folder with `wasm-opt`.
pub(crate) fn binaryen() -> Result<PathBuf> {
    let home = cache::ensure("binaryen", BINARYEN, |home| {
        npm_install(home, &format!("binaryen@{BINARYEN}"))
    })?;
    Ok(home.join("node_modules/.bin"))
}

/// Builds a program in the cheapest way: it runs for seconds, optimising it would take minutes.
fn cargo_install(name: &str, version: &str, options: &[&str]) -> Result<PathBuf> {
    let home = cache::ensure(name, version, |home| {
        let mut step = Step::start(&format!("building {name} {version}"));
        let log = cache::log(&format!("{name}-{version}"))?;
        let mut first = cargo_install_command(home, name, version);
        let built = step.run(first.args(options), &log, None)?;
        let built = if !built.success && built.text().contains("failed to select a version") {
            // An index that lags behind knows other versions than the program's own lock file.
            let free = options.iter().filter(|option| **option != "--locked");
            step.run(cargo_install_command(home, name, version).args(free), &log, None)?
        } else {
            built
        };
        built.require(&format!("`cargo install {name}`"))?;
        std::fs::remove_dir_all(home.join("target"))?;
        step.done("built");
        Ok(())
    })?;
    Ok(home.join("bin"))
}

fn cargo_install_command(home: &Path, name: &str, version: &str) -> Command {
    let mut command = process::cargo();
    command
        .args([
            "install",
            name,
            "--version",
            &format!("={version}"),
            "--no-track",
            "--root",
        ])
        .arg(home)
        .arg("--target-dir")
        .arg(home.join("target"))
        // Not in the checkout: its compiler flags are for the page.
        .current_dir(home)
        .env_remove("RUSTFLAGS")
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "256")
        .env("CARGO_PROFILE_RELEASE_STRIP", "true");
    command
}

/// Installs a package of npm into a folder of its own.
pub(super) fn npm_install(home: &Path, package: &str) -> Result<()> {
    if process::find("npm").is_none() {
        debian::install(&["nodejs", "npm"])?;
    }
    let mut step = Step::start(&format!("npm install {package}"));
    let mut command = Command::new("npm");
    command
        .args([
            "install",
            "--no-audit",
            "--no-fund",
            "--no-save",
            "--ignore-scripts",
            "--prefix",
        ])
        .arg(home)
        .arg(package)
        .current_dir(home);
    let name = package.rsplit('/').next().unwrap_or(package);
    step.run(&mut command, &cache::log(&format!("npm-{name}"))?, None)?
        .require(&format!("`npm install {package}`"))?;
    if !home.join("node_modules").is_dir() {
        bail!("npm installed nothing into {}", home.display());
    }
    step.done("installed");
    Ok(())
}
