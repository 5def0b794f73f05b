//! The tests that run as WASM in headless Chromium: the crates of the page, where the page runs them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::project;
use crate::run::page;
use crate::setup::{self, targets};

/// One command for each crate that has such tests.
pub(super) fn commands() -> Result<Vec<(String, Command)>> {
    let mut commands = Vec::new();
    for member in project::members()? {
        let tests = browser_tests(&member.folder)?;
        if tests.is_empty() {
            continue;
        }
        let mut command = super::cargo();
        command.args([
            "test",
            "--locked",
            "--no-fail-fast",
            "--target",
            targets::WASM,
            "--package",
            &member.name,
        ]);
        command.args(tests.iter().flat_map(|name| ["--test", name]));
        surroundings(&mut command)?;
        commands.push((format!("{} in the browser", member.name), command));
    }
    Ok(commands)
}

/// The test files of a crate that wasm-bindgen-test runs.
fn browser_tests(member: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for (name, files) in project::test_targets(member)? {
        if files.iter().any(|file| mentions(file, "wasm_bindgen_test")) {
            names.push(name);
        }
    }
    Ok(names)
}

fn mentions(file: &PathBuf, word: &str) -> bool {
    fs::read_to_string(file).is_ok_and(|text| text.contains(word))
}

fn surroundings(command: &mut Command) -> Result<()> {
    let browser = setup::browser::browser()?;
    command
        .env("CARGO_TARGET_DIR", page::target_dir())
        .env(
            "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER",
            setup::web::wasm_bindgen()?.join("wasm-bindgen-test-runner"),
        )
        .env("CHROMEDRIVER", browser.driver)
        .env("WASM_BINDGEN_USE_BROWSER", "1")
        .env("WASM_BINDGEN_TEST_TIMEOUT", "120")
        .envs(
            targets::toolchain(targets::WASM)?
                .variables()
                .iter()
                .map(|(name, value)| (name, value)),
        );
    Ok(())
}
