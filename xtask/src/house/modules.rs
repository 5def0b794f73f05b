//! The files of a crate, the modules they are, and the names in them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::project;

/// A source file.
#[derive(Debug)]
pub(super) struct File {
    /// Where the file lies.
    pub(super) path: PathBuf,
    /// Its text without comments, strings and the tests in it.
    pub(super) text: String,
    /// Its module: `["boot", "verdict"]`; empty for the crate's root.
    pub(super) module: Vec<String>,
}

/// A crate's own files, without files of tests.
#[derive(Debug)]
pub(super) struct Crate {
    files: Vec<File>,
}

impl Crate {
    /// Reads the crate whose sources lie in `folder`.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let mut files = Vec::new();
        for path in project::sources(folder)? {
            let inside = path
                .strip_prefix(folder)
                .context("a source lies outside of its crate")?;
            let mut module: Vec<String> = inside
                .with_extension("")
                .components()
                .map(|part| part.as_os_str().to_string_lossy().into_owned())
                .collect();
            if module.iter().any(|part| part == "tests" || part == "bin") {
                continue;
            }
            if module.last().is_some_and(|name| name == "mod") {
                module.pop();
            }
            // A program beside a library is a crate of its own; its few lines import the library by name.
            if module == ["lib"] || module == ["main"] {
                module.clear();
            }
            let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            files.push(File {
                path,
                text: without_tests(&plain(&text)).to_owned(),
                module,
            });
        }
        files.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(Crate { files })
    }

    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let file = |(module, text): &(&str, &str)| File {
            path: PathBuf::from(module),
            text: without_tests(&plain(text)).to_owned(),
            module: module
                .split('/')
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect(),
        };
        Crate {
            files: files.iter().map(file).collect(),
        }
    }

    /// The files, by path.
    pub(super) fn files(&self) -> &[File] {
        &self.files
    }

    /// Numbers of the files by module. A library comes before the program beside it.
    pub(super) fn by_module(&self) -> BTreeMap<&[String], usize> {
        let mut numbers = BTreeMap::new();
        for (number, file) in self.files.iter().enumerate() {
            numbers.entry(file.module.as_slice()).or_insert(number);
        }
        numbers
    }
}

/// The text before its `#[cfg(test)] mod NAME {`, which stands last in a file.
fn without_tests(text: &str) -> &str {
    text.find("#[cfg(test)]\nmod ")
        .filter(|at| {
            text.get(*at..)
                .is_some_and(|rest| rest.lines().nth(1).is_some_and(|line| line.ends_with('{')))
        })
        .or_else(|| {
            text.find("#[cfg(test)]\n#[allow").filter(|at| {
                text.get(*at..)
                    .is_some_and(|rest| rest.lines().take(6).any(|line| line.starts_with("mod tests {")))
            })
        })
        .map_or(text, |at| text.get(..at).unwrap_or(text))
}

/// The text with comments and the contents of strings replaced by nothing; line breaks stay.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '/' if chars.peek() == Some(&'/') => while chars.next_if(|c| *c != '\n').is_some() {},
            '"' => {
                out.push_str("\"\"");
                while let Some(inner) = chars.next() {
                    match inner {
                        '\\' => drop(chars.next()),
                        '"' => break,
                        '\n' => out.push('\n'),
                        _ => {}
                    }
                }
            }
            // A character; a lifetime has no second quote.
            '\'' => {
                let ahead: Vec<char> = chars.clone().take(3).collect();
                match ahead.as_slice() {
                    ['\\', _, ..] => {
                        chars.next();
                        while chars.next_if(|c| *c != '\'').is_some() {}
                        chars.next();
                    }
                    [_, '\'', ..] => {
                        chars.next();
                        chars.next();
                    }
                    _ => out.push(c),
                }
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_strings_and_tests_are_no_code() {
        let text = "use a::B; // use c::D;\nlet s = \"use e::F; \\\" \"; let c = '\"'; fn f<'a>() {}\n#[cfg(test)]\nmod tests {\n use g::H;\n}\n";
        let left = plain(text);
        assert_eq!(
            without_tests(&left),
            "use a::B; \nlet s = \"\"; let c = ; fn f<'a>() {}\n"
        );
    }
}
