//! What xtask reads from the checkout.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

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

/// The version of a package that Cargo.lock names, if it names the package.
pub(crate) fn locked_version(package: &str) -> Result<Option<String>> {
    let path = root().join("Cargo.lock");
    Ok(version_in_lock(&read(&path)?, package))
}

fn version_in_lock(text: &str, package: &str) -> Option<String> {
    let name = format!("name = \"{package}\"");
    let mut lines = text.lines().skip_while(|line| *line != name);
    lines.next()?;
    let version = lines.next()?.strip_prefix("version = \"")?.strip_suffix('"')?;
    Some(version.to_owned())
}

/// A crate of the workspace.
pub(crate) struct Member {
    /// Its name for cargo.
    pub(crate) name: String,
    /// Its folder.
    pub(crate) folder: PathBuf,
}

/// The crates of the workspace.
pub(crate) fn members() -> Result<Vec<Member>> {
    let manifest = read(&root().join("Cargo.toml"))?;
    let mut members = Vec::new();
    for folder in member_folders(&manifest) {
        let folder = root().join(folder);
        let manifest = read(&folder.join("Cargo.toml"))?;
        let name = manifest
            .lines()
            .find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
        let name = name
            .with_context(|| format!("{} names no package", folder.display()))?
            .to_owned();
        members.push(Member { name, folder });
    }
    Ok(members)
}

/// The paths in `members = [...]`.
fn member_folders(manifest: &str) -> Vec<&str> {
    let list = manifest
        .split_once("members = [")
        .and_then(|(_, rest)| rest.split_once(']'));
    let list = list.map_or("", |(list, _)| list);
    list.split(',')
        .map(|item| item.trim().trim_matches('"'))
        .filter(|item| !item.is_empty())
        .collect()
}

/// The integration tests of a crate: each one's name and all its files.
pub(crate) fn test_targets(member: &Path) -> Result<Vec<(String, Vec<PathBuf>)>> {
    let mut targets = Vec::new();
    for entry in std::fs::read_dir(member.join("tests")).into_iter().flatten() {
        let path = entry?.path();
        let Some(name) = path.file_stem().map(|name| name.to_string_lossy().into_owned()) else {
            continue;
        };
        if path.join("main.rs").is_file() {
            targets.push((name, sources(&path)?));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            targets.push((name, vec![path]));
        }
    }
    targets.sort();
    Ok(targets)
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

/// What the source of a test names when it needs a browser, a peer or an emulator, or builds for minutes.
const TOOLS: [&str; 10] = [
    "CARGO_BIN_EXE_mutants",
    "BOOTLACE_PYTHON",
    "BOOTLACE_IMGTOOL",
    "BOOTLACE_FIRMWARE",
    "BOOTLACE_CHROMIUM",
    "BOOTLACE_CHROMEDRIVER",
    "BOOTLACE_DIST",
    "bootlace_tests::tools",
    "bootlace_tests::browser",
    "bootlace_tests::qemu",
];

/// The integration tests that need no browser, peer or emulator.
pub(crate) fn tests_without_tools() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for member in members()? {
        for (name, files) in test_targets(&member.folder)? {
            let mut without = true;
            for file in &files {
                let text = read(file)?;
                without &= !TOOLS.iter().any(|tool| text.contains(tool));
            }
            if without && !names.contains(&name) {
                names.push(name);
            }
        }
    }
    Ok(names)
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("{} can't be read", path.display()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_file_names_exact_versions() {
        let lock = "[[package]]\nname = \"wasm-bindgen-macro\"\nversion = \"1.0.0\"\n\n\
                    [[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\n";
        assert_eq!(version_in_lock(lock, "wasm-bindgen").unwrap(), "0.2.130");
        assert_eq!(version_in_lock(lock, "bindgen"), None);
    }

    #[test]
    fn the_workspace_lists_its_crates() {
        let manifest = "[workspace]\nresolver = \"3\"\nmembers = [\n    \"app\",\n    \"engine\",\n]\n";
        assert_eq!(member_folders(manifest), ["app", "engine"]);
    }

    #[test]
    fn tests_that_need_a_tool_are_told_apart() {
        let folder = std::env::temp_dir().join(format!("xtask-targets-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("tests/large/parts")).unwrap();
        for file in [
            "tests/small.rs",
            "tests/large/main.rs",
            "tests/large/parts/one.rs",
            "tests/notes.md",
        ] {
            std::fs::write(folder.join(file), "").unwrap();
        }
        let targets = test_targets(&folder).unwrap();
        let names: Vec<_> = targets
            .iter()
            .map(|(name, files)| (name.as_str(), files.len()))
            .collect();
        assert_eq!(names, [("large", 2), ("small", 1)]);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
