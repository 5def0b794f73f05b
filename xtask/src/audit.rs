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

const AUDITS: [Audit; 5] = [
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
