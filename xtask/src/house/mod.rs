//! `cargo xtask house`: whether the files of each crate can be read one after another.
//!
//! Two rules. No file has more than 500 lines, tests apart: it is read in one sitting. No files of a crate import each other in
//! a circle: data flows one way, and a newcomer has a place to begin.

mod imports;
mod modules;

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::bench::{Options, report};
use crate::project;
use modules::Crate;

/// Lines that a file has at the most.
const MOST_LINES: usize = 500;

/// What breaks the rules: a sentence each.
pub(crate) fn faults() -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for source in crates()? {
        let root = project::root();
        let named = |path: &Path| path.strip_prefix(&root).unwrap_or(path).display().to_string();
        let read = Crate::read(&source).with_context(|| named(&source))?;
        for file in read.files() {
            let lines = file.text.lines().count();
            if lines > MOST_LINES {
                faults.push(format!(
                    "{} has {lines} lines, more than {MOST_LINES}",
                    named(&file.path)
                ));
            }
        }
        for circle in imports::circles(&read) {
            let files: Vec<String> = circle.files.iter().map(|path| named(path)).collect();
            faults.push(format!(
                "{} import each other: {}",
                files.join(", "),
                circle.names.join("; ")
            ));
        }
    }
    Ok(faults)
}

/// Prints what breaks the rules; says whether all is well, or whether that is not asked.
pub(crate) fn print(options: Options) -> Result<bool> {
    let faults = faults()?;
    let mut text: String = faults.iter().map(|fault| format!("{fault}\n")).collect();
    text.push_str(&format!("house-faults {} faults <= 0\n", faults.len()));
    report("house", &text, options)
}

/// The `src` folders of all crates of this project, those for chips included.
fn crates() -> Result<Vec<std::path::PathBuf>> {
    let mut found: Vec<_> = project::members()?
        .into_iter()
        .map(|member| member.folder.join("src"))
        .collect();
    found.extend(sources_below(&project::root().join("firmware-companion/boards"))?);
    found.sort();
    found.retain(|folder| folder.is_dir());
    Ok(found)
}

/// The `src` folders beside a `Cargo.toml`, two folders deep at the most.
fn sources_below(folder: &Path) -> Result<Vec<std::path::PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.join("Cargo.toml").is_file() {
            found.push(path.join("src"));
        } else if path.ends_with("examples") {
            found.extend(sources_below(&path)?);
        }
    }
    Ok(found)
}
