//! Everything that a fresh machine lacks, fetched or built once and kept in a cache outside of the checkout.

pub(crate) mod browser;
pub(crate) mod cache;
mod debian;
pub(crate) mod firmware;
pub(crate) mod python;
pub(crate) mod qemu;
pub(crate) mod targets;
pub(crate) mod web;

use std::path::PathBuf;

use anyhow::Result;

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

/// The variables by which tests find the tools.
pub(crate) fn environment() -> Result<Vec<(&'static str, PathBuf)>> {
    for target in [targets::WASM, targets::CORTEX_M0, targets::CORTEX_M4] {
        targets::toolchain(target)?;
    }
    let browser = browser::browser()?;
    let python = python::programs()?;
    let firmware = firmware::folder()?;
    web::binaryen()?;
    web::trunk()?;
    web::wasm_bindgen()?;
    Ok(vec![
        ("BOOTLACE_PYTHON", python.join("python")),
        ("BOOTLACE_IMGTOOL", python.join("imgtool")),
        ("BOOTLACE_CHROMIUM", browser.chromium),
        ("BOOTLACE_CHROMEDRIVER", browser.driver),
        ("BOOTLACE_FIRMWARE", firmware),
        ("BOOTLACE_QEMU", qemu::program()?),
        ("BOOTLACE_BOARDS", crate::firmware::build()?),
        ("BOOTLACE_DIST", project::root().join("dist")),
    ])
}

/// Prints the variables for a shell: `eval "$(cargo xtask env)"`.
pub(crate) fn print_environment() -> Result<()> {
    for (name, value) in environment()? {
        println!("export {name}='{}'", value.display());
    }
    let path = [web::trunk()?, web::wasm_bindgen()?, web::binaryen()?];
    let path: Vec<String> = path.iter().map(|folder| folder.display().to_string()).collect();
    println!("export PATH='{}':\"$PATH\"", path.join(":"));
    println!("# Only for builds of the page, in a target folder of their own:");
    for (name, value) in targets::toolchain(targets::WASM)?.variables() {
        println!("# export {name}='{}'", value.display());
    }
    Ok(())
}
