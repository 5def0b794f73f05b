//! What builds the page (Trunk, wasm-bindgen and wasm-opt), and the other packages of npm.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::{cache, debian};
use crate::process::{self, Step};
use crate::project;

const TRUNK: &str = "0.21.14";

/// Packages of npm, each with its digest: wasm-opt (Debian's is years older than what the compiler emits), terser, real firmware and
/// the emulator of the RP2040.
const NPM_PACKAGES: &str = include_str!("../../npm/package.json");
const NPM_LOCK: &str = include_str!("../../npm/package-lock.json");

/// The programs of wasm-bindgen, with a list of versions of our own (the manifest says why).
const WASM_BINDGEN: &str = include_str!("../../tools/wasm-bindgen/Cargo.toml");
const WASM_BINDGEN_LOCK: &str = include_str!("../../tools/wasm-bindgen/Cargo.lock");

/// The folder with `trunk`.
pub(crate) fn trunk() -> Result<PathBuf> {
    // Without its default features Trunk can't download tools: it gets them from this cache.
    let version = format!("={TRUNK}");
    let source = ["trunk", "--version", &version, "--no-default-features"];
    cargo_install("trunk", TRUNK, &source)
}

/// The folder with `wasm-bindgen` and `wasm-bindgen-test-runner`, of exactly the version in Cargo.lock.
pub(crate) fn wasm_bindgen() -> Result<PathBuf> {
    let version = project::locked_version("wasm-bindgen")?;
    let version = version.context("Cargo.lock names no wasm-bindgen: is the page in this checkout?")?;
    ensure!(
        WASM_BINDGEN.contains(&format!("\"={version}\"")),
        "Cargo.lock has wasm-bindgen {version}: name this version in xtask/tools/wasm-bindgen/Cargo.toml as well, and run \
         `cargo update` there"
    );
    let edition = cache::edition(&[WASM_BINDGEN, WASM_BINDGEN_LOCK]);
    let source = project::root().join("xtask/tools/wasm-bindgen");
    let source = source.to_str().context("the path of this checkout is no UTF-8")?;
    cargo_install(
        "wasm-bindgen",
        &format!("{version}-{edition}"),
        &["--path", source],
    )
}

/// The folder with `wasm-opt` and `terser`.
pub(crate) fn npm_programs() -> Result<PathBuf> {
    Ok(npm_packages()?.join(".bin"))
}

/// Builds a program in the cheapest way: it runs for seconds, optimising it would take minutes. `source`: what to build, as
/// `cargo install` takes it.
fn cargo_install(name: &str, version: &str, source: &[&str]) -> Result<PathBuf> {
    let home = cache::ensure(name, version, |home| {
        let mut step = Step::start(&format!("building {name} {version}"));
        let log = cache::log(&format!("{name}-{version}"))?;
        step.run(&mut cargo_install_command(home, source), &log, None)?
            .require(&format!("`cargo install --locked` of {name}"))?;
        std::fs::remove_dir_all(home.join("target"))?;
        step.done("built");
        Ok(())
    })?;
    Ok(home.join("bin"))
}

fn cargo_install_command(home: &Path, source: &[&str]) -> Command {
    let mut command = process::cargo();
    command
        .arg("install")
        .args(source)
        .args(["--locked", "--no-track", "--root"])
        .arg(home)
        .arg("--target-dir")
        .arg(home.join("target"))
        // Not in the checkout: its compiler flags are for the page.
        .current_dir(home)
        .env_remove("RUSTFLAGS")
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_PANIC", "abort")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .env("CARGO_PROFILE_RELEASE_STRIP", "true");
    command
}

/// The folder of npm's packages, installed once for each list of them.
pub(crate) fn npm_packages() -> Result<PathBuf> {
    let home = cache::ensure("npm", &cache::edition(&[NPM_PACKAGES, NPM_LOCK]), |home| {
        if process::find("npm").is_none() {
            debian::install(&["nodejs", "npm"])?;
        }
        let mut step = Step::start("packages from npm");
        std::fs::write(home.join("package.json"), NPM_PACKAGES)?;
        std::fs::write(home.join("package-lock.json"), NPM_LOCK)?;
        let mut command = Command::new("npm");
        command
            .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
            .current_dir(home);
        step.run(&mut command, &cache::log("npm")?, None)?
            .require("`npm ci` in xtask/npm")?;
        step.done("installed");
        Ok(())
    })?;
    Ok(home.join("node_modules"))
}
