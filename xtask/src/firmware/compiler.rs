//! What stands between Cargo and rustc, so that programs for chips do not depend on the folder that they are built in, are small,
//! and have no frame pointers.
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
/// What LLVM is told where it compiles a whole program for a chip (before, a crate at a time, it knows too little). Both are plain
/// choices of its own, of which it takes others in spite of `opt-level = "z"`:
/// - a function becomes part of its callers only where that is smaller: as it is, five instructions more are taken at each call;
/// - blocks of a function are laid out so that few branches are needed.
const FOR_SIZE: [&str; 2] = [
    "-Cllvm-args=-inline-threshold=0",
    "-Cllvm-args=-apply-ext-tsp-for-size",
];
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
    let options = options(&arguments, std::env::var_os(FUNCTIONS).as_deref());
    let ended = Command::new(&rustc).args(arguments).args(options).status();
    let code = ended.ok().and_then(|status| status.code());
    Some(
        code.and_then(|code| u8::try_from(code).ok())
            .map_or(ExitCode::FAILURE, ExitCode::from),
    )
}

fn split(mut words: impl Iterator<Item = OsString>) -> Option<(OsString, Vec<OsString>)> {
    Some((words.next()?, words.collect()))
}

/// What rustc is told beyond what Cargo tells: nothing for what runs on this machine.
fn options(arguments: &[OsString], list: Option<&OsStr>) -> Vec<String> {
    let has = |word: &str| arguments.iter().any(|argument| argument == word);
    if !has("--target") {
        return Vec::new();
    }
    let mut options: Vec<String> = list.and_then(without_frame_pointers).into_iter().collect();
    if has("bin") {
        options.extend(FOR_SIZE.map(String::from));
    }
    options
}

/// The option that tells LLVM the list. None where the list's path can't be told: LLVM's options are separated by spaces.
fn without_frame_pointers(list: &OsStr) -> Option<String> {
    let list = list.to_str().filter(|list| !list.contains(char::is_whitespace))?;
    Some(format!("-Cllvm-args=-forceattrs-csv-path={list}"))
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
    fn only_programs_for_chips_are_small_and_have_no_frame_pointers() {
        let told = |arguments: &[&str], list: Option<&str>| {
            let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
            options(&arguments, list.map(OsStr::new))
        };
        let program = ["--crate-type", "bin", "--target", "thumb"];
        let list = "-Cllvm-args=-forceattrs-csv-path=/a/b.csv".to_owned();
        let for_size = FOR_SIZE.map(String::from).to_vec();
        assert_eq!(
            told(&program, Some("/a/b.csv")),
            [vec![list.clone()], for_size.clone()].concat()
        );
        assert_eq!(told(&program, Some("/a b/c.csv")), for_size);
        assert_eq!(told(&["--target", "thumb"], Some("/a/b.csv")), [list]);
        assert!(told(&["--crate-type", "bin"], Some("/a/b.csv")).is_empty());
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
