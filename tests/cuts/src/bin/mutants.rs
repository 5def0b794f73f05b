//! `cargo xtask cuts --mutants`: builds the core with each mistake of the list, in a copy under `target/mutants`, and says
//! which scenario caught it. `mutants 4` takes four of them, others every day.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Instant, SystemTime};

use anyhow::{Context as _, Result, bail, ensure};
use bootlace_cuts::{MUTANTS, Mutant, core_sources};

/// What the sweep is built from.
const MEMBERS: [&str; 10] = [
    "protocol/smp",
    "protocol/image",
    "protocol/delta",
    "firmware-companion/core",
    "firmware-companion/identity",
    "firmware-companion/maps",
    "firmware-companion/app-kit",
    "firmware-companion/simulator",
    "tests/client",
    "tests/cuts",
];

/// Built often and run shortly.
const PROFILE: &str = "[profile.dev]\nopt-level = 2\ndebug = false\ndebug-assertions = false\noverflow-checks = false\nincremental = true\n\
[profile.dev.package.\"*\"]\nopt-level = 2\n";

fn main() -> ExitCode {
    match run() {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Says how many were not caught.
fn run() -> Result<usize> {
    let count = std::env::args()
        .nth(1)
        .map_or(Ok(MUTANTS.len()), |word| word.parse())?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let copy = target.join("mutants");
    copy_workspace(&root, &copy)?;
    let started = Instant::now();
    if let Some(lost) = sweep(&copy)? {
        bail!("the core as it is loses a board: {lost}");
    }
    let day = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)?
        .as_secs()
        / 86_400;
    let first = (day as usize * count) % MUTANTS.len();
    let mut missed = 0;
    for mutant in MUTANTS.iter().cycle().skip(first).take(count) {
        let began = Instant::now();
        let outcome = with(&copy, mutant);
        let seconds = began.elapsed().as_secs();
        match outcome {
            Err(error) => {
                println!("NO MUTANT: {}: {error:#}", mutant.name);
                missed += 1;
            }
            Ok(Some(lost)) => {
                let lost: String = lost.trim_start_matches("lost: ").chars().take(110).collect();
                println!("caught in {seconds} s: {}\n    {lost}", mutant.name);
            }
            Ok(None) => {
                println!("NOT CAUGHT in {seconds} s: {}", mutant.name);
                missed += 1;
            }
        }
    }
    println!("mutants-caught {} mutants >= 12", count - missed);
    println!("mutants-missed {missed} mutants <= 0");
    println!(
        "mutants-minutes {:.2} minutes",
        started.elapsed().as_secs_f64() / 60.0
    );
    Ok(missed)
}

/// Builds with one mistake, and puts the file back.
fn with(copy: &Path, mutant: &Mutant) -> Result<Option<String>> {
    let sources = core_sources(copy)?;
    let mistaken = mutant.apply(&sources).map_err(anyhow::Error::msg)?;
    std::fs::write(&mistaken.source.path, &mistaken.text)?;
    let outcome = sweep(copy).with_context(|| mutant.name);
    std::fs::write(&mistaken.source.path, &mistaken.source.text)?;
    outcome
}

/// Builds the copy and runs a small sweep: the first board that is lost, if one is.
fn sweep(copy: &Path) -> Result<Option<String>> {
    let target = copy.join("target");
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build
        .args([
            "build",
            "--offline",
            "--quiet",
            "--package",
            "bootlace-cuts",
            "--bin",
            "cuts",
        ])
        .current_dir(copy)
        .env("CARGO_TARGET_DIR", &target)
        // A mistake may leave something unused.
        .env("RUSTFLAGS", "--cap-lints allow");
    let built = build.output()?;
    ensure!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    let mut program = Command::new(target.join("debug/cuts"));
    let output = program.args(["tiny", "--first"]).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let lost = text
        .lines()
        .find(|line| line.starts_with("lost: "))
        .map(str::to_owned);
    // One that panics or never ends is caught as well.
    Ok(lost
        .or_else(|| (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())))
}

/// The crates that the sweep needs, as a workspace of their own.
fn copy_workspace(root: &Path, copy: &Path) -> Result<()> {
    for member in MEMBERS {
        let (from, to) = (root.join(member).join("src"), copy.join(member).join("src"));
        copy_folder(&from, &to)?;
        remove_stale(&from, &to)?;
        let manifest = std::fs::read_to_string(root.join(member).join("Cargo.toml"))?;
        write(
            &copy.join(member).join("Cargo.toml"),
            without_tests(&manifest).as_bytes(),
        )?;
    }
    copy_file(&root.join("Cargo.lock"), &copy.join("Cargo.lock"))?;
    let manifest = std::fs::read_to_string(root.join("Cargo.toml"))?;
    let (_, rest) = manifest
        .split_once("\nexclude")
        .context("the workspace's manifest has no `exclude`")?;
    let (_, rest) = rest.split_once('\n').unwrap_or_default();
    let rest = rest.split_once("\n[profile.").map_or(rest, |(rest, _)| rest);
    let members = MEMBERS.map(|member| format!("\"{member}\"")).join(", ");
    let manifest = format!("[workspace]\nresolver = \"3\"\nmembers = [{members}]\n\n{rest}\n\n{PROFILE}");
    write(&copy.join("Cargo.toml"), manifest.as_bytes())
}

/// A crate's manifest without what its tests need: none are run, and they may need crates that are not copied.
fn without_tests(manifest: &str) -> String {
    let mut kept = String::new();
    let mut is_kept = true;
    for line in manifest.lines() {
        if line.starts_with('[') {
            is_kept = !line.contains("dev-dependencies");
        }
        if is_kept {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    for entry in std::fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &to)?;
        } else {
            copy_file(&entry.path(), &to)?;
        }
    }
    Ok(())
}

/// Removes what an earlier checkout had and this one does not: a function that moved would be found twice.
fn remove_stale(from: &Path, copy: &Path) -> Result<()> {
    for entry in std::fs::read_dir(copy)? {
        let path = entry?.path();
        let from = from.join(path.file_name().unwrap_or_default());
        match (path.is_dir(), from.exists()) {
            (true, true) => remove_stale(&from, &path)?,
            (true, false) => std::fs::remove_dir_all(&path)?,
            (false, false) => std::fs::remove_file(&path)?,
            (false, true) => {}
        }
    }
    Ok(())
}

fn copy_file(from: &Path, to: &Path) -> Result<()> {
    let bytes = std::fs::read(from).with_context(|| from.display().to_string())?;
    write(to, &bytes)
}

/// What has not changed is not written: it need not be built again.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if std::fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, bytes).with_context(|| path.display().to_string())
}
