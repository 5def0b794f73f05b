//! `cargo xtask audit`: known advisories against what this project is built from and tested with.
//!
//! Not a part of the tests: an advisory that appears overnight must not turn an unchanged checkout red, and the lists lie on
//! servers that a build machine may not reach. A list that can't be read is a failure: silence is not a clean bill.

use std::process::Command;

use anyhow::Result;

use crate::process;
use crate::project;

/// A list of packages, and the program that knows the advisories.
struct Audit {
    packages: &'static str,
    program: &'static str,
    arguments: &'static [&'static str],
    /// From the project's folder.
    folder: &'static str,
    /// How to get the program.
    install: &'static str,
}

const AUDITS: [Audit; 6] = [
    Audit {
        packages: "crates of the workspace",
        program: "cargo-deny",
        arguments: &["--workspace", "check", "advisories"],
        folder: "",
        install: "cargo install --locked cargo-deny",
    },
    Audit {
        packages: "crates of programs for chips",
        program: "cargo-deny",
        arguments: &[
            "--workspace",
            "check",
            "--config",
            "../../deny.toml",
            "advisories",
        ],
        folder: "firmware-companion/boards",
        install: "cargo install --locked cargo-deny",
    },
    Audit {
        packages: "crates of wasm-bindgen's programs",
        program: "cargo-deny",
        arguments: &["check", "--config", "../../../deny.toml", "advisories"],
        folder: "xtask/tools/wasm-bindgen",
        install: "cargo install --locked cargo-deny",
    },
    Audit {
        packages: "crates of the fuzz targets",
        program: "cargo-deny",
        arguments: &["check", "--config", "../deny.toml", "advisories"],
        folder: "fuzz",
        install: "cargo install --locked cargo-deny",
    },
    Audit {
        packages: "packages of npm",
        program: "npm",
        arguments: &["audit", "--package-lock-only"],
        folder: "xtask/npm",
        install: "apt-get install npm",
    },
    Audit {
        packages: "packages of PyPI",
        program: "pip-audit",
        arguments: &[
            "--require-hashes",
            "--disable-pip",
            "-r",
            "requirements.txt",
            "-r",
            "build.txt",
            "-r",
            "emulator.txt",
            "-r",
            "nordic.txt",
        ],
        folder: "xtask/python",
        install: "pip install pip-audit",
    },
];

/// Prints what is known against each list of packages; says whether all were read and nothing is.
pub(crate) fn run() -> Result<bool> {
    let mut clean = true;
    for audit in &AUDITS {
        let Some(program) = process::find(audit.program) else {
            println!(
                "{}: not checked: `{}` is missing; `{}`",
                audit.packages, audit.program, audit.install
            );
            clean = false;
            continue;
        };
        println!("-- {}", audit.packages);
        let status = Command::new(program)
            .args(audit.arguments)
            .current_dir(project::root().join(audit.folder))
            .status()?;
        let verdict = if status.success() {
            "nothing known against them"
        } else {
            "see above"
        };
        println!("{}: {verdict}", audit.packages);
        clean &= status.success();
    }
    Ok(clean)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use serde_json::Value;

    use super::*;

    /// The lists of packages below this folder, but for what was built or fetched.
    fn lists(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                if !name.starts_with('.') && !["target", "dist", "node_modules"].contains(&name) {
                    lists(&path, found);
                }
            } else if ["Cargo.lock", "package-lock.json"].contains(&name)
                || path.extension().is_some_and(|it| it == "txt")
                    && path.parent().unwrap().ends_with("xtask/python")
            {
                found.push(path);
            }
        }
    }

    /// The packages of a list that come without a digest, and how many there are.
    fn without_digest(path: &Path) -> (Vec<String>, usize) {
        let text = fs::read_to_string(path).unwrap();
        let packages: Vec<(String, bool)> = match path.file_name().unwrap().to_str().unwrap() {
            // What is not from a registry is this project's own, or comes from nowhere.
            "Cargo.lock" => text
                .split("[[package]]")
                .filter(|package| package.contains("\nsource = "))
                .map(|package| (package.to_owned(), package.contains("\nchecksum = ")))
                .collect(),
            "package-lock.json" => {
                let lock: Value = serde_json::from_str(&text).unwrap();
                let all = lock["packages"].as_object().unwrap().iter();
                all.filter(|(name, _)| !name.is_empty())
                    .map(|(name, it)| (name.clone(), it["integrity"].is_string()))
                    .collect()
            }
            _ => text
                .split("\n")
                .filter(|line| line.contains("=="))
                .map(|line| {
                    let (_, rest) = text.split_once(line).unwrap();
                    let is_named = line.ends_with('\\') && rest.trim_start().starts_with("--hash=sha256:");
                    (line.to_owned(), is_named)
                })
                .collect(),
        };
        let count = packages.len();
        let missing = packages.into_iter().filter(|(_, has_digest)| !has_digest);
        (missing.map(|(package, _)| package).collect(), count)
    }

    #[test]
    fn every_package_that_is_fetched_has_a_digest_and_is_audited() {
        let root = project::root();
        let mut found = Vec::new();
        lists(&root, &mut found);
        assert!(found.len() >= 8, "{found:?}");
        for path in &found {
            let (missing, count) = without_digest(path);
            assert!(count > 0 && missing.is_empty(), "{}: {missing:?}", path.display());
            let (folder, name) = (
                path.parent().unwrap(),
                path.file_name().unwrap().to_str().unwrap(),
            );
            let is_audited = AUDITS.iter().any(|audit| {
                let is_python = path.extension().is_some_and(|it| it == "txt");
                root.join(audit.folder) == folder && (!is_python || audit.arguments.contains(&name))
            });
            assert!(is_audited, "{} is not audited", path.display());
        }
    }
}
