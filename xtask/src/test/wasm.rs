//! The tests that run as WASM in headless Chromium: the crates of the page, where the page runs them.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::project::{self, Member};
use crate::run::page;
use crate::setup::{self, targets};

/// One command for each crate that has such tests.
pub(super) fn commands() -> Result<Vec<(String, Command)>> {
    let mut commands = Vec::new();
    for member in project::members()? {
        let tests = browser_tests(&member)?;
        if tests.is_empty() {
            continue;
        }
        let mut command = project::cargo();
        command.args([
            "test",
            "--locked",
            "--no-fail-fast",
            "--target",
            targets::WASM,
            "--package",
            &member.name,
        ]);
        command.args(&tests);
        surroundings(&mut command)?;
        commands.push((format!("{} in the browser", member.name), command));
    }
    Ok(commands)
}

/// What cargo is to run of a crate: its unit tests, its integration tests, where they are written for the browser too.
fn browser_tests(member: &Member) -> Result<Vec<String>> {
    let mut arguments = Vec::new();
    if project::sources(&member.folder.join("src"))?
        .iter()
        .any(is_for_browser)
    {
        arguments.push("--lib".to_owned());
    }
    for test in &member.tests {
        if test.files()?.iter().any(is_for_browser) {
            arguments.extend(["--test".to_owned(), test.name.clone()]);
        }
    }
    Ok(arguments)
}

fn is_for_browser(file: &PathBuf) -> bool {
    fs::read_to_string(file).is_ok_and(|text| text.contains("\nuse wasm_bindgen_test::"))
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
