//! Debian's package manager: installing for everyone, and unpacking for oneself.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::cache;
use crate::process::{self, Step};

/// Whether this machine has Debian's package manager.
pub(super) fn present() -> bool {
    process::find("apt-get").is_some() && process::find("dpkg").is_some()
}

/// Installs packages for everyone on this machine, which root may do and others after a yes.
pub(super) fn install(packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    if !present() {
        bail!("install {list} (the names are Debian's) with this system's package manager, then try again");
    }
    let prefix = authority(&list)?;
    update_lists(prefix)?;
    let mut step = Step::start(&format!("apt-get install {list}"));
    let mut command = privileged(prefix);
    command
        .args(["install", "--yes", "--no-install-recommends"])
        .args(packages);
    let log = cache::log(&format!("apt-{}", packages.join("-")))?;
    step.run(&mut command, &log, None)?
        .require(&format!("`apt-get install {list}`"))?;
    step.done("installed");
    Ok(())
}

/// How the package manager is called: directly, or through sudo.
#[derive(Clone, Copy)]
enum Authority {
    Root,
    Sudo,
}

fn privileged(authority: Authority) -> Command {
    let mut command = match authority {
        Authority::Root => Command::new("apt-get"),
        Authority::Sudo => Command::new("sudo"),
    };
    if matches!(authority, Authority::Sudo) {
        command.args(["-n", "apt-get"]);
    }
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn authority(list: &str) -> Result<Authority> {
    if process::output(Command::new("id").arg("-u"))?.trim() == "0" {
        return Ok(Authority::Root);
    }
    let refuse = format!("missing: {list}. Install it with `sudo apt-get install {list}`, then try again");
    if process::output(Command::new("sudo").args(["-n", "true"])).is_err() {
        bail!(refuse);
    }
    // A build machine says so in CI; a person is asked.
    if std::env::var_os("CI").is_some() {
        return Ok(Authority::Sudo);
    }
    if !std::io::stdin().is_terminal() {
        bail!(refuse);
    }
    eprint!("{list} is missing. Run `sudo apt-get install {list}` now? [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(Authority::Sudo),
        _ => bail!(refuse),
    }
}

/// Fetches the lists of packages, once a run: a fresh machine has none, an old one's are stale.
fn update_lists(authority: Authority) -> Result<()> {
    static DONE: OnceLock<()> = OnceLock::new();
    if DONE.get().is_none() {
        let mut step = Step::start("apt-get update");
        let limit = Some(Duration::from_secs(180));
        // One source of many that does not answer is no reason to stop: the installation tells.
        let outcome = step.run(
            privileged(authority).arg("update"),
            &cache::log("apt-update")?,
            limit,
        )?;
        step.done(if outcome.success {
            "done"
        } else {
            "not all sources answered"
        });
        let _ = DONE.set(());
    }
    Ok(())
}

/// The version of a package that would be installed now.
pub(super) fn candidate(package: &str) -> Option<String> {
    let policy = process::output(
        Command::new("apt-cache")
            .args(["policy", package])
            .env("LC_ALL", "C"),
    )
    .ok()?;
    let line = policy
        .lines()
        .find_map(|line| line.trim().strip_prefix("Candidate: "))?;
    (line != "(none)").then(|| line.to_owned())
}

/// Makes sure that there are lists of packages to look into.
pub(super) fn know_packages(example: &str) -> Result<()> {
    if candidate(example).is_none() {
        update_lists(authority("the lists of packages")?)?;
    }
    Ok(())
}

/// Whether one version is newer than another, by Debian's rules.
pub(super) fn newer(one: &str, other: &str) -> bool {
    let comparison = Command::new("dpkg")
        .args(["--compare-versions", one, "gt", other])
        .status();
    comparison.is_ok_and(|status| status.success())
}

/// All packages that a package needs, at any depth.
pub(super) fn needs(package: &str) -> Result<Vec<String>> {
    let text = process::output(Command::new("apt-cache").env("LC_ALL", "C").args([
        "depends",
        "--recurse",
        "--no-recommends",
        "--no-suggests",
        "--no-conflicts",
        "--no-breaks",
        "--no-replaces",
        "--no-enhances",
        package,
    ]))?;
    // Names stand at the start of a line, virtual ones in angle brackets, relations indented.
    let name = |line: &&str| line.starts_with(|c: char| c.is_ascii_alphanumeric());
    Ok(text.lines().filter(name).map(str::to_owned).collect())
}

/// Downloads packages and unpacks them below a folder. Needs no rights, and no other package minds.
pub(super) fn unpack(packages: &[String], into: &Path, step: &mut Step) -> Result<()> {
    let packed = into.join("packed");
    std::fs::create_dir_all(&packed)?;
    let mut download = Command::new("apt-get");
    download.arg("download").args(packages).current_dir(&packed);
    let download = step.run(&mut download, &cache::log("apt-download")?, None)?;
    download.require(&format!("`apt-get download {}`", packages.join(" ")))?;
    for file in std::fs::read_dir(&packed)? {
        let file = file?.path();
        step.progress(&file.display().to_string());
        let mut unpack = Command::new("dpkg");
        process::output(unpack.arg("-x").arg(&file).arg(into))
            .with_context(|| format!("{} can't be unpacked", file.display()))?;
    }
    std::fs::remove_dir_all(&packed)?;
    Ok(())
}
