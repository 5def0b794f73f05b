//! `cargo xtask fuzz`: every fuzz target under libFuzzer, each with its number of executions.
//!
//! The layout is cargo-fuzz's, but its command asks for a nightly compiler; all that it does for us is to name the flags
//! that instrument the code, and stable has them. Sanitizers it has not: the code has no `unsafe`, overflows and bounds
//! are checked, and what never ends is stopped after 20 seconds.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::bench::{self, Options};
use crate::process::{self, Step};
use crate::project;

/// What coverage-guided fuzzing needs of the compiler (cargo-fuzz's `--sanitizer none`), and the checks of a debug build.
/// Comparisons are not traced: the inputs to begin with have what is compared, and thirty times as many run instead.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cdebug-assertions=on -Coverflow-checks=on -Ccodegen-units=1";

struct Target {
    name: &'static str,
    /// Executions that are wanted.
    runs: u64,
    /// Longest input in bytes.
    longest: u32,
    /// The last quarter of the executions must find nothing new.
    saturates: bool,
}

const TARGETS: [Target; 11] = [
    target("frames", 20_000_000, 512, false),
    target("messages", 20_000_000, 512, false),
    target("images", 20_000_000, 512, false),
    target("state", 20_000_000, 640, false),
    target("delta", 5_000_000, 512, false),
    target("server", 2_000_000, 320, true),
    target("files", 2_000_000, 4096, false),
    target("session", 200_000, 320, false),
    target("memory", 1_000_000, 4096, false),
    target("loaders", 5_000_000, 1024, false),
    target("nordic", 2_000_000, 1024, false),
];

const fn target(name: &'static str, runs: u64, longest: u32, saturates: bool) -> Target {
    Target {
        name,
        runs,
        longest,
        saturates,
    }
}

/// Runs what the words ask for; says whether all is well.
pub(crate) fn run(words: &[&str]) -> Result<bool> {
    let (mut options, mut runs, mut keep, mut only) = (Options::default(), None, false, None);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match *word {
            "--json" => options.json = true,
            "--check" => options.check = true,
            "--keep" => keep = true,
            "--runs" => runs = Some(words.next().context("--runs takes a number")?.parse()?),
            name if TARGETS.iter().any(|target| target.name == name) => only = Some(name),
            other => bail!(
                "fuzz takes a target ({}), --runs N, --keep, --json and --check, not {other}",
                TARGETS.map(|target| target.name).join(", ")
            ),
        }
    }
    let programs = build()?;
    let mut text = String::new();
    for target in TARGETS
        .iter()
        .filter(|target| only.is_none_or(|only| only == target.name))
    {
        let (wanted, name) = (runs.unwrap_or(target.runs), target.name);
        let log = fuzz(target, wanted, &programs)?;
        let Progress { done, seconds, last } = Progress::read(&log);
        let _ = writeln!(text, "{name} {done} executions >= {wanted}");
        let _ = writeln!(text, "{name}-time {seconds} s");
        let share = last as f64 * 100.0 / done.max(1) as f64;
        let bound = if target.saturates { " <= 75" } else { "" };
        let _ = writeln!(text, "{name}-last-new-coverage {share:.1} %{bound}");
        if keep {
            minimise(target, &programs)?;
        }
    }
    bench::report("fuzz", &text, options)
}

fn folder() -> PathBuf {
    project::target_dir().join("fuzz")
}

/// Builds all targets, and writes the inputs to begin with; says where the programs are.
fn build() -> Result<PathBuf> {
    if process::find("c++").is_none() {
        bail!("libFuzzer is built from C++ sources: install a C++ compiler (Debian: apt-get install g++)");
    }
    let version = process::output(std::process::Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.context("rustc does not say what machine this is")?;
    let mut step = Step::start("fuzz: building");
    let mut command = process::cargo();
    command
        // Naming the target keeps the flags away from build scripts.
        .args(["build", "--release", "--locked", "--target", host, "--target-dir"])
        .arg(folder())
        .current_dir(project::root().join("fuzz"))
        .env("RUSTFLAGS", FLAGS);
    step.run(&mut command, &project::log("fuzz-build"), None)?
        .require("building the fuzz targets")?;
    let mut command = project::program("bootlace-fuzz-targets", "fuzz-seeds");
    command.arg(folder().join("seeds"));
    step.run(&mut command, &project::log("fuzz-seeds"), None)?
        .require("writing the inputs to begin with")?;
    step.done("built");
    Ok(folder().join(host).join("release"))
}

/// The corpus that is kept.
fn corpus(target: &Target) -> PathBuf {
    project::root().join("fuzz/corpus").join(target.name)
}

fn fuzz(target: &Target, runs: u64, programs: &Path) -> Result<String> {
    let name = target.name;
    let (work, seeds) = (
        folder().join("work").join(name),
        folder().join("seeds").join(name),
    );
    let found = folder().join("found");
    std::fs::create_dir_all(&work)?;
    std::fs::create_dir_all(&found)?;
    std::fs::create_dir_all(corpus(target))?;
    let mut step = Step::start(&format!("fuzz: {name}"));
    let mut command = std::process::Command::new("nice");
    command
        .args(["-n", "19"])
        .arg(programs.join(name))
        .args([format!("-runs={runs}"), format!("-max_len={}", target.longest)])
        .args(["-timeout=20", "-print_final_stats=1"])
        .arg(format!("-artifact_prefix={}/{name}-", found.display()))
        .args([work, corpus(target), seeds]);
    let outcome = step.run(&mut command, &project::log(&format!("fuzz-{name}")), None)?;
    let outcome = outcome.require(&format!("{name} (the input is in {})", found.display()))?;
    step.done("nothing found");
    Ok(outcome.text())
}

/// What libFuzzer found goes into the kept corpus: as few inputs as reach all that is reached.
fn minimise(target: &Target, programs: &Path) -> Result<()> {
    let (work, least) = (folder().join("work").join(target.name), folder().join("least"));
    if least.exists() {
        std::fs::remove_dir_all(&least)?;
    }
    std::fs::create_dir_all(&least)?;
    let mut step = Step::start(&format!("fuzz: keeping what {} needs", target.name));
    let mut command = std::process::Command::new(programs.join(target.name));
    let seeds = folder().join("seeds").join(target.name);
    command
        .args(["-merge=1", "-use_counters=0"])
        .args([least.clone(), corpus(target), seeds, work]);
    step.run(&mut command, &project::log("fuzz-merge"), None)?
        .require("merging")?;
    let kept = corpus(target);
    std::fs::remove_dir_all(&kept)?;
    std::fs::create_dir_all(&kept)?;
    for entry in std::fs::read_dir(&least)? {
        let entry = entry?;
        std::fs::copy(entry.path(), kept.join(entry.file_name()))?;
    }
    step.done("kept");
    Ok(())
}

/// What libFuzzer says about a run.
#[derive(Debug, Default, PartialEq)]
struct Progress {
    done: u64,
    seconds: u64,
    /// The execution that last reached code that none before had reached.
    last: u64,
}

impl Progress {
    /// Lines are `#123 NEW cov: 45 ft: 67 ...`; the last ones `Done 1000 runs in 2 second(s)`.
    fn read(log: &str) -> Self {
        let mut progress = Progress::default();
        let mut most = 0;
        for line in log.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            if let ["Done", runs, "runs", "in", seconds, ..] = words.as_slice() {
                progress.done = runs.parse().unwrap_or(0);
                progress.seconds = seconds.parse().unwrap_or(0);
            }
            let number = words
                .first()
                .and_then(|word| word.strip_prefix('#')?.parse().ok());
            let place = words.iter().position(|word| *word == "cov:");
            let covered = place.and_then(|at| words.get(at + 1)?.parse::<u64>().ok());
            if let (Some(number), Some(covered)) = (number, covered)
                && covered > most
            {
                (most, progress.last) = (covered, number);
            }
        }
        progress
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_new_coverage_is_seen() {
        let log = "INFO: seed\n#2\tINITED cov: 10 ft: 20\n#50\tNEW    cov: 12 ft: 30\n#90\tREDUCE cov: 12 ft: 31\n\
                   #200\tDONE   cov: 12 ft: 31\nDone 200 runs in 3 second(s)\n";
        let read = Progress {
            done: 200,
            seconds: 3,
            last: 50,
        };
        assert_eq!(Progress::read(log), read);
    }
}
