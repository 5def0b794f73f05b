//! What xtask reads from the checkout.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::process;

/// The top folder of the checkout.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// The folder of this machine's builds: `target`, or what CARGO_TARGET_DIR says.
pub(crate) fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// Where the output of a step's programs is kept.
pub(crate) fn log(name: &str) -> PathBuf {
    target_dir().join("xtask").join(format!("{name}.log"))
}

/// Cargo in the checkout, for a log: without colours.
pub(crate) fn cargo() -> Command {
    let mut command = process::cargo();
    command.current_dir(root()).env("CARGO_TERM_COLOR", "never");
    command
}

/// Runs a program of this workspace, built in release mode; arguments for it may follow.
pub(crate) fn program(package: &str, name: &str) -> Command {
    let mut command = cargo();
    command
        .args(["run", "--quiet", "--locked", "--release", "--package", package])
        .args(["--bin", name, "--"]);
    command
}

/// The version of a package that Cargo.lock names, if it names the package.
pub(crate) fn locked_version(package: &str) -> Result<Option<String>> {
    // With dependencies: their versions are what the lock file says.
    let metadata = cargo_metadata(&[])?;
    Ok(version_of(&metadata, package))
}

fn version_of(metadata: &Value, package: &str) -> Option<String> {
    let packages = metadata.get("packages")?.as_array()?;
    let found = packages.iter().find(|found| found["name"] == package)?;
    found["version"].as_str().map(str::to_owned)
}

fn cargo_metadata(arguments: &[&str]) -> Result<Value> {
    let mut command = cargo();
    command
        .args(["metadata", "--format-version", "1", "--locked"])
        .args(arguments);
    let text = process::output(&mut command)?;
    serde_json::from_str(&text).context("`cargo metadata` printed no JSON")
}

/// A crate of the workspace.
#[derive(Debug)]
pub(crate) struct Member {
    /// Its name for cargo.
    pub(crate) name: String,
    /// Its folder.
    pub(crate) folder: PathBuf,
    /// Its integration tests.
    pub(crate) tests: Vec<TestTarget>,
}

/// An integration test: one program.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TestTarget {
    /// Its name for cargo.
    pub(crate) name: String,
    /// Its first file. The others lie in a folder of its name beside it, or in its own folder.
    pub(crate) source: PathBuf,
    /// It needs a browser, a peer or an emulator, or builds for minutes: `[package.metadata.bootlace] tests-with-tools`.
    pub(crate) needs_tools: bool,
}

/// The crates of the workspace.
pub(crate) fn members() -> Result<Vec<Member>> {
    let metadata = cargo_metadata(&["--no-deps"])?;
    let packages = metadata["packages"].as_array();
    let packages = packages.context("`cargo metadata` names no packages")?;
    packages.iter().map(member).collect()
}

fn member(package: &Value) -> Result<Member> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let name = text(&package["name"]).context("a package has no name")?;
    let manifest = text(&package["manifest_path"]).map(PathBuf::from);
    let folder = manifest.as_deref().and_then(Path::parent);
    let folder = folder.with_context(|| format!("{name} has no folder"))?;
    let mut with_tools = names(&package["metadata"]["bootlace"]["tests-with-tools"]);
    let mut tests = Vec::new();
    for target in package["targets"].as_array().into_iter().flatten() {
        if !names(&target["kind"]).contains("test") {
            continue;
        }
        let (Some(name), Some(source)) = (text(&target["name"]), text(&target["src_path"])) else {
            continue;
        };
        tests.push(TestTarget {
            needs_tools: with_tools.remove(&name),
            name,
            source: source.into(),
        });
    }
    ensure!(
        with_tools.is_empty(),
        "tests-with-tools of {name} names tests that do not exist: {with_tools:?}"
    );
    Ok(Member {
        name,
        folder: folder.to_owned(),
        tests,
    })
}

/// The strings of a JSON list; none where there is no list.
fn names(list: &Value) -> BTreeSet<String> {
    let list = list.as_array().into_iter().flatten();
    list.filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

impl TestTarget {
    /// All files of the test.
    pub(crate) fn files(&self) -> Result<Vec<PathBuf>> {
        let folder = if self.source.file_name().is_some_and(|name| name == "main.rs") {
            self.source.with_file_name("")
        } else {
            self.source.with_extension("")
        };
        let mut files = if folder.is_dir() {
            sources(&folder)?
        } else {
            Vec::new()
        };
        if !files.contains(&self.source) {
            files.push(self.source.clone());
        }
        Ok(files)
    }
}

/// All Rust files in a folder, at any depth.
pub(crate) fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(sources(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(files)
}

/// The integration tests that need no browser, peer or emulator.
pub(crate) fn tests_without_tools() -> Result<BTreeSet<String>> {
    let members = members()?;
    let tests = members.iter().flat_map(|member| &member.tests);
    let (with, without): (Vec<_>, Vec<_>) = tests.partition(|test| test.needs_tools);
    let without: BTreeSet<String> = without.into_iter().map(|test| test.name.clone()).collect();
    // Cargo chooses tests by name alone, in whatever crate.
    let doubled = with.iter().find(|test| without.contains(&test.name));
    if let Some(test) = doubled {
        bail!("two tests are called {}, and one of them needs tools", test.name);
    }
    Ok(without)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_version_is_the_exact_packages() {
        let metadata = json!({"packages": [
            {"name": "wasm-bindgen-macro", "version": "1.0.0"},
            {"name": "wasm-bindgen", "version": "0.2.130"},
        ]});
        assert_eq!(version_of(&metadata, "wasm-bindgen").unwrap(), "0.2.130");
        assert_eq!(version_of(&metadata, "bindgen"), None);
    }

    fn package(with_tools: &[&str]) -> Value {
        json!({
            "name": "engine", "manifest_path": "/checkout/engine/Cargo.toml",
            "metadata": {"bootlace": {"tests-with-tools": with_tools}},
            "targets": [
                {"name": "engine", "kind": ["lib"], "src_path": "/checkout/engine/src/lib.rs"},
                {"name": "page", "kind": ["test"], "src_path": "/checkout/engine/tests/page.rs"},
                {"name": "pair", "kind": ["test"], "src_path": "/checkout/engine/tests/pair.rs"},
            ],
        })
    }

    #[test]
    fn a_manifest_says_which_tests_need_tools() {
        let member = member(&package(&["page"])).unwrap();
        assert_eq!(
            (member.name.as_str(), member.folder.as_path()),
            ("engine", Path::new("/checkout/engine"))
        );
        let tests: Vec<_> = member
            .tests
            .iter()
            .map(|test| (test.name.as_str(), test.needs_tools))
            .collect();
        assert_eq!(tests, [("page", true), ("pair", false)]);
    }

    #[test]
    fn a_manifest_that_names_a_test_that_is_gone_is_refused() {
        let error = member(&package(&["page", "pages"])).unwrap_err().to_string();
        assert!(error.contains("pages"), "{error}");
    }

    #[test]
    fn the_workspace_of_this_checkout_can_be_read() {
        let names: Vec<String> = members().unwrap().into_iter().map(|member| member.name).collect();
        assert!(
            names.contains(&"xtask".to_owned()) && names.contains(&"bootlace-engine".to_owned()),
            "{names:?}"
        );
        assert!(tests_without_tools().unwrap().contains("pair"));
    }
}
