//! What stands between Cargo and rustc, so that programs for chips do not depend on the folder that they are built in, and have
//! no frame pointers.
//!
//! Cargo names a crate by the folder that it lies in, where that is outside of the workspace, as the protocol's and the core's
//! crates are for the boards. The names decide the order of functions in a program. Here such a crate is named by its name
//! and version, which no two crates of a program share. Options that name a folder are added here as well, unseen by Cargo,
//! which names crates by their options.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};

/// Set where this program is called in rustc's place.
const CALLED_AS_COMPILER: &str = "BOOTLACE_CALLED_AS_COMPILER";
/// The list of functions that need no frame pointer.
const FUNCTIONS: &str = "BOOTLACE_FUNCTIONS";
/// Where Cargo keeps what it fetched: a package there is named by where it came from.
const FETCHED: &str = "registry";

/// Lets Cargo call this program in rustc's place, with a list of functions that need no frame pointer, if there is one.
pub(super) fn call_by(cargo: &mut Command, functions: Option<&Path>) -> Result<()> {
    let program = std::env::current_exe().context("the program does not know where it lies")?;
    cargo.env("RUSTC_WRAPPER", program).env(CALLED_AS_COMPILER, "1");
    if let Some(functions) = functions {
        cargo.env(FUNCTIONS, functions);
    }
    Ok(())
}

/// Where Cargo calls this program in rustc's place: rustc's exit code.
pub(crate) fn run_if_called() -> Option<ExitCode> {
    std::env::var_os(CALLED_AS_COMPILER)?;
    let (rustc, arguments) = split(std::env::args_os().skip(1))?;
    let package = Package::built();
    let arguments = arguments.into_iter().map(|argument| {
        package
            .as_ref()
            .map_or(argument.clone(), |package| package.named(argument))
    });
    let arguments: Vec<OsString> = arguments.collect();
    let option = std::env::var_os(FUNCTIONS).and_then(|list| without_frame_pointers(&arguments, &list));
    let ended = Command::new(&rustc).args(arguments).args(option).status();
    let code = ended.ok().and_then(|status| status.code());
    Some(
        code.and_then(|code| u8::try_from(code).ok())
            .map_or(ExitCode::FAILURE, ExitCode::from),
    )
}

fn split(mut words: impl Iterator<Item = OsString>) -> Option<(OsString, Vec<OsString>)> {
    Some((words.next()?, words.collect()))
}

/// The option that tells LLVM the list. None for what runs on this machine, and where the list's path can't be told: LLVM's
/// options are separated by spaces.
fn without_frame_pointers(arguments: &[OsString], list: &OsStr) -> Option<String> {
    let list = list.to_str().filter(|list| !list.contains(char::is_whitespace))?;
    let is_for_chip = arguments.iter().any(|argument| argument == "--target");
    is_for_chip.then(|| format!("-Cllvm-args=-forceattrs-csv-path={list}"))
}

/// A package of this repository.
struct Package {
    name: String,
    version: String,
}

impl Package {
    /// The one that Cargo builds; `None`: it was fetched, or nothing is built.
    fn built() -> Option<Self> {
        let folder = std::path::PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR")?);
        let fetched = folder.components().any(|part| part.as_os_str() == FETCHED);
        (!fetched).then_some(())?;
        Some(Package {
            name: std::env::var("CARGO_PKG_NAME").ok()?,
            version: std::env::var("CARGO_PKG_VERSION").ok()?,
        })
    }

    /// An argument of rustc's, with this package's name where Cargo's stands.
    fn named(&self, argument: OsString) -> OsString {
        match argument
            .to_str()
            .is_some_and(|text| text.starts_with("metadata="))
        {
            true => format!("metadata={} {}", self.name, self.version).into(),
            false => argument,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_chips_have_no_frame_pointers() {
        let option = |arguments: &[&str], list: &str| {
            let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
            without_frame_pointers(&arguments, list.as_ref())
        };
        let wanted = "-Cllvm-args=-forceattrs-csv-path=/a/b.csv";
        assert_eq!(
            option(&["--target", "thumb"], "/a/b.csv").as_deref(),
            Some(wanted)
        );
        assert_eq!(option(&["--crate-name", "build"], "/a/b.csv"), None);
        assert_eq!(option(&["--target", "thumb"], "/a b/c.csv"), None);
    }

    #[test]
    fn a_crate_is_named_by_its_name_and_version_alone() {
        let package = Package {
            name: "bootlace-core".into(),
            version: "0.1.0".into(),
        };
        let given = [
            "--crate-name",
            "core",
            "-C",
            "metadata=0123456789abcdef",
            "-C",
            "extra-filename=-0123",
        ];
        let passed_on: Vec<_> = given
            .iter()
            .map(|argument| package.named(argument.into()))
            .collect();
        assert_eq!(
            passed_on,
            [
                "--crate-name",
                "core",
                "-C",
                "metadata=bootlace-core 0.1.0",
                "-C",
                "extra-filename=-0123"
            ]
        );
    }
}
