//! Programs for chips without frame pointers.
//!
//! For Cortex-M, rustc keeps a frame pointer in every function, whatever `-Cforce-frame-pointers` says: one of the eight
//! registers that short instructions reach, and up to eight bytes of code a function. Nothing on a chip reads a frame
//! pointer: debuggers have the unwind tables. LLVM leaves it out of the functions that a list names, by their mangled names
//! (`forceattrs-csv-path`). A build tells its own names, so where the list lacks some of them the programs are built once
//! more: after a new function, mostly not at all.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::elf::Program;

/// What LLVM reads behind a function's name.
const ATTRIBUTE: &str = "frame-pointer=none";

/// The functions of a target's programs, as far as they are known.
struct Functions {
    list: PathBuf,
    /// Built without a frame pointer.
    told: BTreeSet<String>,
    /// A few that the compiler makes only where others have no frame pointer. A third build is not worth them; LLVM passes
    /// over a line without an attribute.
    untold: BTreeSet<String>,
}

/// Builds programs without frame pointers: `build` is called with the list for the [`compiler`](super::compiler), and `programs`
/// are what it builds in `folder`, which Cargo fills for one target and profile and for nothing else.
pub(super) fn build_without(
    folder: &Path,
    programs: &[PathBuf],
    mut build: impl FnMut(&Path) -> Result<()>,
) -> Result<()> {
    let mut functions = Functions::known(folder.with_extension("functions.csv"))?;
    build(&functions.list)?;
    let told = names(programs)?;
    if functions.knows(&told) {
        return Ok(());
    }
    functions.write(told, BTreeSet::new())?;
    // Cargo does not know that its programs depend on the list.
    fs::remove_dir_all(folder).with_context(|| format!("can't remove {}", folder.display()))?;
    build(&functions.list)?;
    let untold = &names(programs)? - &functions.told;
    functions.write(functions.told.clone(), untold)
}

impl Functions {
    fn known(list: PathBuf) -> Result<Self> {
        if let Some(folder) = list.parent() {
            fs::create_dir_all(folder).with_context(|| format!("can't make {}", folder.display()))?;
        }
        let text = fs::read_to_string(&list).unwrap_or_default();
        let (mut told, mut untold) = (BTreeSet::new(), BTreeSet::new());
        for (name, attribute) in text.lines().filter_map(|line| line.split_once(',')) {
            let names = if attribute.is_empty() {
                &mut untold
            } else {
                &mut told
            };
            names.insert(name.to_owned());
        }
        let mut functions = Functions {
            list,
            told: BTreeSet::new(),
            untold: BTreeSet::new(),
        };
        // LLVM reads the list also where nothing is known yet.
        functions.write(told, untold)?;
        Ok(functions)
    }

    fn knows(&self, names: &BTreeSet<String>) -> bool {
        let mut names = names.iter();
        names.all(|name| self.told.contains(name) || self.untold.contains(name))
    }

    fn write(&mut self, told: BTreeSet<String>, untold: BTreeSet<String>) -> Result<()> {
        (self.told, self.untold) = (told, untold);
        let told = self.told.iter().map(|name| format!("{name},{ATTRIBUTE}\n"));
        let untold = self.untold.iter().map(|name| format!("{name},\n"));
        let lines: String = told.chain(untold).collect();
        fs::write(&self.list, lines).with_context(|| format!("can't write {}", self.list.display()))
    }
}

/// The functions of programs, but for those that the compiler makes last, from parts of others.
fn names(programs: &[PathBuf]) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for program in programs {
        let bytes = fs::read(program).with_context(|| format!("{} was not built", program.display()))?;
        let functions = Program::new(bytes)?.functions()?.into_iter();
        names.extend(functions.filter(|name| !name.starts_with("OUTLINED_FUNCTION_")));
    }
    Ok(names)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn list(name: &str) -> PathBuf {
        let file = format!("xtask-{}-{name}.functions.csv", std::process::id());
        std::env::temp_dir().join(file)
    }

    #[test]
    fn a_list_is_read_as_it_was_written() {
        let list = list("written");
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let mut functions = Functions::known(list.clone()).unwrap();
        assert!(!functions.knows(&names(&["reset"])));
        functions.write(names(&["a", "reset"]), names(&["eq"])).unwrap();
        assert_eq!(
            fs::read_to_string(&list).unwrap(),
            "a,frame-pointer=none\nreset,frame-pointer=none\neq,\n"
        );
        let known = Functions::known(list.clone()).unwrap();
        assert_eq!((&known.told, &known.untold), (&functions.told, &functions.untold));
        assert!(known.knows(&names(&["eq", "reset"])));
        assert!(!known.knows(&names(&["eq", "new"])));
        fs::remove_file(list).unwrap();
    }

    #[test]
    fn programs_are_built_again_only_where_they_have_new_functions() {
        let home = std::env::temp_dir().join(format!("xtask-{}-again", std::process::id()));
        let (folder, builds) = (home.join("release"), std::cell::Cell::new(0));
        let program = folder.join("program");
        let run = |names: &[&str]| {
            let before = builds.get();
            build_without(&folder, std::slice::from_ref(&program), |_| {
                builds.set(builds.get() + 1);
                fs::create_dir_all(&folder)?;
                Ok(fs::write(&program, crate::firmware::elf::with_functions(names))?)
            })
            .unwrap();
            builds.get() - before
        };
        assert_eq!(run(&["a", "b"]), 2);
        assert_eq!(run(&["a", "b"]), 1);
        assert_eq!(run(&["b", "OUTLINED_FUNCTION_1"]), 1);
        assert_eq!(run(&["b", "c"]), 2);
        fs::remove_dir_all(home).unwrap();
    }
}
