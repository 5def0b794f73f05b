//! Programs for chips without frame pointers.
//!
//! For Cortex-M, rustc keeps a frame pointer in every function, whatever `-Cforce-frame-pointers` says: one of the eight
//! registers that short instructions reach, and up to eight bytes of code a function. Nothing on a chip reads a frame
//! pointer: debuggers have the unwind tables. LLVM leaves it out of the functions that a list names, by their mangled names
//! (`forceattrs-csv-path`). So programs are built twice, in two folders: as rustc builds them, for the names, and with the list
//! of these. A few functions that the compiler makes only the second time keep their frame pointers. What comes out depends on the
//! code alone, and not on what was built before.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::elf::Program;

/// What LLVM reads behind a function's name.
const ATTRIBUTE: &str = "frame-pointer=none";

/// The two folders in which programs are built, and the list of their functions.
pub(super) struct Builds {
    /// As rustc builds them.
    plain: PathBuf,
    /// Without frame pointers.
    pub(super) built: PathBuf,
    list: PathBuf,
}

impl Builds {
    /// In folders that Cargo fills for one target and profile and for nothing else.
    pub(super) fn new(plain: PathBuf, built: PathBuf) -> Self {
        let list = built.with_extension("functions.csv");
        Builds { plain, built, list }
    }

    /// The list for the second build, from the programs of these names that the first one has made.
    pub(super) fn list(&self, programs: &[&str]) -> Result<&Path> {
        let names = names(programs.iter().map(|name| self.plain.join(name)))?;
        let lines: String = names.iter().map(|name| format!("{name},{ATTRIBUTE}\n")).collect();
        if fs::read_to_string(&self.list).is_ok_and(|known| known == lines) {
            return Ok(&self.list);
        }
        // Cargo does not know that what it has built depends on the list.
        if self.built.exists() {
            fs::remove_dir_all(&self.built)
                .with_context(|| format!("can't remove {}", self.built.display()))?;
        }
        if let Some(folder) = self.list.parent() {
            fs::create_dir_all(folder).with_context(|| format!("can't make {}", folder.display()))?;
        }
        fs::write(&self.list, lines).with_context(|| format!("can't write {}", self.list.display()))?;
        Ok(&self.list)
    }
}

/// The functions of programs, but for those that the compiler makes last, from parts of others.
fn names(programs: impl Iterator<Item = PathBuf>) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for program in programs {
        let bytes = fs::read(&program).with_context(|| format!("{} was not built", program.display()))?;
        let functions = Program::new(bytes)?.functions()?.into_iter();
        names.extend(functions.filter(|name| !name.starts_with("OUTLINED_FUNCTION_")));
    }
    Ok(names)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::firmware::elf::with_functions;

    #[test]
    fn what_was_built_is_kept_only_while_the_list_stays_as_it_is() {
        let home = std::env::temp_dir().join(format!("xtask-{}-frame-pointers", std::process::id()));
        let builds = Builds::new(home.join("plain/release"), home.join("built/release"));
        let made = |names: &[&str]| {
            fs::create_dir_all(&builds.plain).unwrap();
            fs::write(builds.plain.join("a-program"), with_functions(names)).unwrap();
            let list = fs::read_to_string(builds.list(&["a-program"]).unwrap()).unwrap();
            let is_kept = builds.built.exists();
            fs::create_dir_all(&builds.built).unwrap();
            (list, is_kept)
        };
        let list = "a,frame-pointer=none\nb,frame-pointer=none\n".to_owned();
        assert_eq!(made(&["b", "a"]), (list.clone(), false));
        assert_eq!(made(&["a", "b", "OUTLINED_FUNCTION_1"]), (list, true));
        // What the list named before does not stay in it.
        assert_eq!(made(&["b"]), ("b,frame-pointer=none\n".to_owned(), false));
        fs::remove_dir_all(home).unwrap();
    }
}
