//! The page as it is published: built by Trunk in release mode, with the tools of the cache.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use super::{demo, shorten};
use crate::process::{self, Step};
use crate::project;
use crate::setup::{self, targets};

/// The largest page, all files together, gzipped, in bytes. It is loaded over phones in workshops.
pub(crate) const BUDGET: u64 = 320 * 1024;

/// The folders below the page of what it loads when it is wanted: the program of “New board”, and the companions.
pub(super) const NEW_BOARD: &str = "new-board";
pub(super) const COMPANIONS: &str = "companions";

/// The most that this program may weigh, gzipped, in bytes: who wants it waits for it.
const NEW_BOARD_BUDGET: u64 = 208 * 1024;

/// Where the built page lies.
pub(crate) fn dist() -> PathBuf {
    project::root().join("dist")
}

/// Builds the page into `dist/`.
pub(crate) fn build() -> Result<()> {
    let tools = [
        setup::web::trunk()?,
        setup::web::wasm_bindgen()?,
        setup::web::npm_programs()?,
    ];
    let mut step = Step::start("building the page");
    // Trunk would download the tools that it does not find; offline it says what it misses.
    let mut trunk = std::process::Command::new(tools[0].join("trunk"));
    trunk
        .args(["build", "--release", "--offline", "--locked", "--dist"])
        .arg(dist())
        .current_dir(project::root())
        .env("PATH", path_with(&tools)?)
        // Its own call stack says nothing; what the compiler says must not be buried under it.
        .env("RUST_BACKTRACE", "0");
    for_browser(&mut trunk)?;
    step.run(&mut trunk, &project::log("page"), None)?
        .require("building the page")?;
    shorten::script(&dist(), &tools[2])?;
    shorten::names(&dist())?;
    shorten::styles(&dist())?;
    names_no_builder(&dist())?;
    step.done("dist/");
    Ok(())
}

/// Compiles the page's program the way Trunk will ask for it, which then finds it done. Trunk itself may still be being built.
pub(super) fn compile() -> Result<()> {
    let mut step = Step::start("compiling the page");
    let mut command = process::cargo();
    command
        .args(["build", "--offline", "--locked", "--target", targets::WASM])
        .args(["--profile", "page", "--bin", "bootlace-app"])
        .current_dir(project::root().join("app"));
    for_browser(&mut command)?;
    step.run(&mut command, &project::log("page-program"), None)?
        .require("compiling the page")?;
    step.done("compiled");
    Ok(())
}

/// The surroundings of a build for the browser.
pub(super) fn for_browser(command: &mut std::process::Command) -> Result<()> {
    let toolchain = targets::toolchain(targets::WASM)?;
    if let Some(flag) = without_the_builders_folder() {
        // In addition to the flags in .cargo/config.toml.
        command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", flag);
    }
    command
        .env("CARGO_TARGET_DIR", target_dir())
        .envs(toolchain.variables().iter().map(|(name, value)| (name, value)));
    Ok(())
}

/// Where cargo keeps the sources of dependencies.
fn cargo_home() -> Option<PathBuf> {
    let given = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    given.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cargo")))
}

/// The compiler's flag that takes the builder's home folder out of what the page is made of: the places of panics would tell
/// everyone the builder's name, and the page of one builder would differ from that of another. `None` where such a flag can't be
/// told to cargo, as its list has spaces between flags.
fn without_the_builders_folder() -> Option<String> {
    let home = cargo_home()?.to_str()?.to_owned();
    let can_be_told = !home.contains(char::is_whitespace) && !home.contains('=');
    can_be_told.then(|| format!("--remap-path-prefix={home}=cargo"))
}

/// How wasm-opt is called for the page: what `index.html` tells Trunk.
pub(super) fn wasm_opt_arguments() -> Result<Vec<String>> {
    let html = std::fs::read_to_string(project::root().join("index.html"))?;
    let value = |name: &str| {
        let (_, rest) = html.split_once(&format!(" {name}=\""))?;
        Some(rest.split_once('"')?.0.to_owned())
    };
    let missing = || anyhow::anyhow!("index.html does not say how wasm-opt is called");
    let level = value("data-wasm-opt").ok_or_else(missing)?;
    let more = value("data-wasm-opt-params").ok_or_else(missing)?;
    let more = more.split_whitespace().map(str::to_owned);
    Ok([format!("-O{level}")].into_iter().chain(more).collect())
}

/// Fails when a file in this folder names the folder in which cargo keeps the sources of the builder.
pub(super) fn names_no_builder(folder: &Path) -> Result<()> {
    match (cargo_home(), without_the_builders_folder()) {
        (Some(home), Some(_)) => names_no_folder(folder, &home),
        _ => Ok(()),
    }
}

/// Fails when a file of the page in `dist` names the folder `home`.
fn names_no_folder(dist: &Path, home: &Path) -> Result<()> {
    let name = home.as_os_str().as_encoded_bytes();
    for entry in std::fs::read_dir(dist)? {
        let path = entry?.path();
        let named = path.is_file() && std::fs::read(&path)?.windows(name.len()).any(|part| part == name);
        ensure!(!named, "{} names {}", path.display(), home.display());
    }
    Ok(())
}

/// Gets the sources of all dependencies: the builds that follow are offline.
pub(super) fn fetch() -> Result<()> {
    let mut step = Step::start("fetching dependencies");
    let mut command = process::cargo();
    command.args(["fetch", "--locked"]).current_dir(project::root());
    step.run(&mut command, &project::log("fetch"), None)?
        .require("`cargo fetch --locked`")?;
    step.done("there");
    Ok(())
}

/// The folder of all builds for the browser, apart from those for this machine: they may have another compiler.
pub(crate) fn target_dir() -> PathBuf {
    project::target_dir().join("web")
}

/// PATH with folders put before it.
pub(crate) fn path_with(folders: &[PathBuf]) -> Result<std::ffi::OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = folders.iter().cloned().chain(std::env::split_paths(&path));
    std::env::join_paths(all).context("a folder of the tools can't stand in PATH")
}

/// The files of the page with their gzipped sizes in bytes, largest first: what a browser loads before anything is wanted.
pub(crate) fn weight(dist: &Path) -> Result<Vec<(String, u64)>> {
    let later = [demo::FOLDER, NEW_BOARD, COMPANIONS].map(|name| dist.join(name));
    weight_without(dist, &later)
}

fn weight_without(dist: &Path, later: &[PathBuf]) -> Result<Vec<(String, u64)>> {
    let mut files = Vec::new();
    collect(dist, dist, later, &mut files)?;
    files.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    Ok(files)
}

fn collect(dist: &Path, folder: &Path, later: &[PathBuf], files: &mut Vec<(String, u64)>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("{} can't be read", folder.display()))? {
        let path = entry?.path();
        if later.contains(&path) {
            continue;
        }
        if path.is_dir() {
            collect(dist, &path, later, files)?;
        } else {
            let name = path.strip_prefix(dist).unwrap_or(&path).display().to_string();
            files.push((name, gzipped(&std::fs::read(&path)?)?));
        }
    }
    Ok(())
}

fn gzipped(bytes: &[u8]) -> Result<u64> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len() as u64)
}

/// Prints the page's weight and says whether it keeps to the budget.
pub(crate) fn print_weight(dist: &Path) -> Result<bool> {
    let files = weight(dist)?;
    for (name, bytes) in &files {
        println!("  {:>8.1} KB  {name}", kilobytes(*bytes));
    }
    let within = is_within("page weight", &files, BUDGET);
    let program = dist.join(NEW_BOARD);
    if !program.exists() {
        return Ok(within);
    }
    let later = weight_without(&program, &[])?;
    Ok(is_within("“New board”, when it is wanted", &later, NEW_BOARD_BUDGET) && within)
}

fn is_within(what: &str, files: &[(String, u64)], most: u64) -> bool {
    let total: u64 = files.iter().map(|(_, bytes)| bytes).sum();
    println!(
        "{what}: {:.1} KB gzipped, at most {:.0} KB",
        kilobytes(total),
        kilobytes(most)
    );
    total <= most
}

/// A size for people. Sizes of files are far below 2^53 bytes.
#[allow(clippy::cast_precision_loss)]
fn kilobytes(bytes: u64) -> f64 {
    bytes as f64 / 1024.0
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn all_files_weigh_but_those_that_are_loaded_when_they_are_wanted() {
        let dist = std::env::temp_dir().join(format!("xtask-weight-{}", std::process::id()));
        for folder in ["demo", "fonts", "new-board"] {
            std::fs::create_dir_all(dist.join(folder)).unwrap();
        }
        std::fs::write(dist.join("index.html"), "x").unwrap();
        std::fs::write(dist.join("fonts/a.woff2"), [7; 5000]).unwrap();
        std::fs::write(dist.join("demo/large.bin"), [7; 5000]).unwrap();
        std::fs::write(dist.join("new-board/a.wasm"), [7; 5000]).unwrap();
        let files = weight(&dist).unwrap();
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["fonts/a.woff2", "index.html"]);
        assert!((20..100).contains(&files[0].1), "{files:?}");
        std::fs::remove_dir_all(dist).unwrap();
    }

    #[test]
    fn a_page_that_names_the_builders_folder_is_refused() {
        let dist = std::env::temp_dir().join(format!("xtask-page-{}", std::process::id()));
        std::fs::create_dir_all(&dist).unwrap();
        let home = Path::new("/home/somebody/.cargo");
        for (text, fits) in [
            ("panicked at cargo/registry/yew.rs", true),
            ("panicked at /home/somebody/.cargo/registry/yew.rs", false),
        ] {
            std::fs::write(dist.join("page.wasm"), text).unwrap();
            assert_eq!(names_no_folder(&dist, home).is_ok(), fits, "{text}");
        }
        std::fs::remove_dir_all(dist).unwrap();
    }
}
