//! `cargo xtask run`: the page, built and served.

pub(crate) mod demo;
pub(crate) mod new_board;
pub(crate) mod page;
mod shorten;

use std::process::Command;

use anyhow::{Context as _, Result};

use crate::process::{self, Step};
use crate::{project, setup};

/// Builds the page with its demo images.
pub(crate) fn build() -> Result<()> {
    build_beside(&[])
}

/// Builds the page with everything that it may load.
pub(crate) fn build_all() -> Result<()> {
    build()?;
    new_board::place(&page::dist())
}

/// Builds the page with everything that it may load, to be served from any place.
pub(crate) fn publish() -> Result<bool> {
    build_all()?;
    let within = page::print_weight(&page::dist())?;
    println!(
        "all of it is in {}: any static server does, at any path",
        page::dist().display()
    );
    Ok(within)
}

/// Builds the page with its demo images, and does other jobs beside that.
fn build_beside(jobs: &[setup::Job]) -> Result<()> {
    page::fetch()?;
    // Before all else: where rustup has no targets, Debian's package manager brings a compiler, and it runs once at a time.
    setup::targets::toolchain(setup::targets::WASM)?;
    let jobs: Vec<setup::Job> = setup::PAGE
        .into_iter()
        .chain([&page::compile as setup::Job])
        .chain(jobs.iter().copied())
        .collect();
    setup::together(&jobs)?;
    page::build()?;
    demo::place(&page::dist())
}

/// Builds the page and serves it until interrupted.
pub(crate) fn serve(port: u16) -> Result<()> {
    // Before the build: who can't have the port should know it at once.
    let listener = bootlace_serve::listen(port)?;
    build()?;
    println!(
        "\nThe page is at http://localhost:{port}\n\
         \n\
         1. Open it in Chrome, Edge or another Chromium browser on a computer.\n\
         2. Press \"Simulate\" for a simulated board: no hardware is needed. With a board that runs the companion,\n\
         \x20  press \"Connect a board\" and choose its port.\n\
         3. Choose one of the demo images, or drop your own that imgtool signed.\n\
         4. Press the update button, and watch the board prove the new image.\n\
         \n\
         For a board without the companion, press \"Set up a new board\": that part of the page is being built now.\n\
         \n\
         Ctrl-C ends it."
    );
    // The page is there at once; what installs the first companion on a board comes a few minutes later.
    std::thread::spawn(|| match new_board::place(&page::dist()) {
        Ok(()) => println!("\"Set up a new board\" is ready."),
        Err(error) => eprintln!("\"Set up a new board\" could not be built: {error:#}"),
    });
    bootlace_serve::serve(&listener, &page::dist())
}

/// Where the pictures of a check go, below the checkout.
const SCREENSHOTS: &str = ".screenshots";

/// Drives the page through the whole main job in headless Chromium; says whether it and its weight are well.
pub(crate) fn check() -> Result<bool> {
    let tools = setup::browser_environment()?;
    build_beside(&[&|| build_driver().map(drop)])?;
    let driver = build_driver()?;
    let listener = bootlace_serve::listen(0)?;
    let port = listener.local_addr()?.port();
    std::thread::spawn(move || bootlace_serve::serve(&listener, &page::dist()));
    let pictures = project::root().join(SCREENSHOTS);
    if pictures.exists() {
        std::fs::remove_dir_all(&pictures)?;
    }
    std::fs::create_dir_all(&pictures)?;
    let mut job = Command::new(driver);
    job.arg(format!("http://localhost:{port}/"))
        .arg(&pictures)
        .envs(tools)
        .current_dir(project::root());
    let done = job
        .status()
        .context("the browser's driver can't be started")?
        .success();
    println!("pictures of each step: {}", pictures.display());
    let light = page::print_weight(&page::dist())?;
    println!("main job: {}", if done && light { "ok" } else { "failed" });
    Ok(done && light)
}

/// Builds the program that uses the page as a person does.
fn build_driver() -> Result<std::path::PathBuf> {
    let mut step = Step::start("building the browser's driver");
    let mut command = process::cargo();
    command.args([
        "build",
        "--locked",
        "--package",
        "bootlace-browser",
        "--bin",
        "main-job",
    ]);
    command.current_dir(project::root());
    step.run(&mut command, &project::log("main-job"), None)?
        .require("building the browser's driver")?;
    step.done("built");
    Ok(project::target_dir().join("debug/main-job"))
}
