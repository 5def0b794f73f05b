//! Everything that a fresh machine lacks, fetched or built once and kept in a cache outside of the checkout.

pub(crate) mod browser;
pub(crate) mod cache;
mod debian;
pub(crate) mod firmware;
pub(crate) mod program;
pub(crate) mod python;
pub(crate) mod targets;
pub(crate) mod web;

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::project;

/// Sets up all tools; each command also does it for the ones that it needs.
pub(crate) fn everything() -> Result<()> {
    let began = std::time::Instant::now();
    environment()?;
    eprintln!(
        "everything is in {} ({:.0} s)",
        cache::folder()?.display(),
        began.elapsed().as_secs_f64()
    );
    Ok(())
}

/// A part of the set-up that may run beside others.
pub(crate) type Job<'a> = &'a (dyn Fn() -> Result<()> + Sync);

/// Runs jobs beside each other. A first build is limited by the compiler, and one build alone leaves a core idle while it links
/// or downloads.
pub(crate) fn together(jobs: &[Job]) -> Result<()> {
    std::thread::scope(|scope| {
        let running: Vec<_> = jobs.iter().map(|job| scope.spawn(job)).collect();
        let ended = running.into_iter().map(|job| job.join());
        // All of them end before the first error is told: a killed build would have to begin again.
        ended
            .map(|ended| ended.unwrap_or_else(|_| bail!("a part of the set-up stopped")))
            .fold(Ok(()), Result::and)
    })
}

/// What the page is built with, and what its demonstration images are made of.
pub(crate) const PAGE: [Job; 3] = [
    &|| web::trunk().map(drop),
    &|| web::wasm_bindgen().map(drop),
    &|| {
        web::npm_programs()?;
        python::programs()?;
        firmware::folder().map(drop)
    },
];

/// The variables by which a program finds the browser.
pub(crate) fn browser_environment() -> Result<Vec<(&'static str, PathBuf)>> {
    let browser = browser::browser()?;
    Ok(vec![
        ("BOOTLACE_CHROMIUM", browser.chromium),
        ("BOOTLACE_CHROMEDRIVER", browser.driver),
    ])
}

/// The variables by which tests find the tools.
pub(crate) fn environment() -> Result<Vec<(&'static str, PathBuf)>> {
    for target in [targets::WASM, targets::CORTEX_M0, targets::CORTEX_M4] {
        targets::toolchain(target)?;
    }
    // Debian's package manager runs once at a time: before all else.
    let mut variables = browser_environment()?;
    program::QEMU.path()?;
    program::SREC_CAT.path()?;
    program::DFU_UTIL.path()?;
    program::STM32FLASH.path()?;
    together(&PAGE)?;
    let python = python::programs()?;
    variables.extend([
        ("BOOTLACE_PYTHON", python.join("python")),
        ("BOOTLACE_IMGTOOL", python.join("imgtool")),
        ("BOOTLACE_FIRMWARE", firmware::folder()?),
        ("BOOTLACE_QEMU", program::QEMU.path()?),
        ("BOOTLACE_SREC_CAT", program::SREC_CAT.path()?),
        ("BOOTLACE_DFU_UTIL", program::DFU_UTIL.path()?),
        ("BOOTLACE_STM32FLASH", program::STM32FLASH.path()?),
        ("BOOTLACE_BOARDS", crate::firmware::build()?),
        ("BOOTLACE_RP2040JS", web::npm_packages()?),
        ("BOOTLACE_RP2040_BOOTROM", python::bootrom()?),
        ("BOOTLACE_DIST", project::root().join("dist")),
    ]);
    Ok(variables)
}

/// Prints the variables for a shell: `eval "$(cargo xtask env)"`.
pub(crate) fn print_environment() -> Result<()> {
    for (name, value) in environment()? {
        println!("export {name}='{}'", value.display());
    }
    let path = [web::trunk()?, web::wasm_bindgen()?, web::npm_programs()?];
    let path: Vec<String> = path.iter().map(|folder| folder.display().to_string()).collect();
    println!("export PATH='{}':\"$PATH\"", path.join(":"));
    println!("# Only for builds of the page, in a target folder of their own:");
    for (name, value) in targets::toolchain(targets::WASM)?.variables() {
        println!("# export {name}='{}'", value.display());
    }
    Ok(())
}
