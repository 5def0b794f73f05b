//! Which file of a crate imports which, and the circles among them.
//!
//! Read as text: `use` declarations and paths that begin with `crate::`, `super::`, `self::` or a module of the file. A name
//! that a module only hands on (`pub use`, or a `use` that a child reaches through `super::`) counts for the file that
//! defines it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::modules::{Crate, File};

/// Files that import each other.
#[derive(Debug)]
pub(super) struct Circle {
    /// The files.
    pub(super) files: Vec<PathBuf>,
    /// What ties them: `from -> to (name)`.
    pub(super) names: Vec<String>,
}

/// All circles of a crate.
pub(super) fn circles(source: &Crate) -> Vec<Circle> {
    let arrows = arrows(source);
    let reach = closure(source.files().len(), &arrows);
    let mut circles = Vec::new();
    let mut seen = BTreeSet::new();
    for start in 0..source.files().len() {
        let members: BTreeSet<usize> = (0..source.files().len())
            .filter(|&other| reach.contains(&(start, other)) && reach.contains(&(other, start)))
            .collect();
        if members.len() < 2 || !seen.insert(members.clone()) {
            continue;
        }
        let module = |number: usize| {
            source
                .files()
                .get(number)
                .map_or(String::new(), |file| file.module.join("::"))
        };
        let inside = arrows
            .iter()
            .filter(|((from, to), _)| members.contains(from) && members.contains(to));
        circles.push(Circle {
            files: members
                .iter()
                .filter_map(|&number| Some(source.files().get(number)?.path.clone()))
                .collect(),
            names: inside
                .map(|((from, to), name)| format!("{} -> {} ({name})", module(*from), module(*to)))
                .collect(),
        });
    }
    circles
}

/// An arrow a pair of files that import each other, with one of the names.
type Arrows = BTreeMap<(usize, usize), String>;

fn closure(count: usize, arrows: &Arrows) -> BTreeSet<(usize, usize)> {
    let mut reach: BTreeSet<(usize, usize)> = arrows.keys().copied().collect();
    for middle in 0..count {
        for from in 0..count {
            if reach.contains(&(from, middle)) {
                for to in 0..count {
                    if reach.contains(&(middle, to)) {
                        reach.insert((from, to));
                    }
                }
            }
        }
    }
    reach
}

fn arrows(source: &Crate) -> Arrows {
    let names = Names::new(source);
    let mut arrows = Arrows::new();
    for (number, file) in source.files().iter().enumerate() {
        let (declared, rest) = uses(&file.text);
        let paths = declared.into_iter().map(|(path, _)| path).chain(paths_in(&rest));
        for path in paths {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            if let Some(target) = names.file_of(&file.module, &path, 0)
                && target != number
            {
                let name = path.last().copied().unwrap_or_default().to_owned();
                arrows.entry((number, target)).or_insert(name);
            }
        }
    }
    arrows
}

/// Which names each module has.
struct Names<'s> {
    modules: BTreeMap<&'s [String], usize>,
    defined: Vec<BTreeSet<String>>,
    /// Names that a file imports, with the path of each.
    imported: Vec<BTreeMap<String, Vec<String>>>,
    files: &'s [File],
}

/// Names are handed on through so many modules at the most.
const MOST_HANDS: usize = 8;

impl<'s> Names<'s> {
    fn new(source: &'s Crate) -> Self {
        let files = source.files();
        let imported = files.iter().map(|file| {
            let (declared, _) = uses(&file.text);
            declared.into_iter().map(|(path, name)| (name, path)).collect()
        });
        Names {
            modules: source.by_module(),
            defined: files.iter().map(|file| definitions(&file.text)).collect(),
            imported: imported.collect(),
            files,
        }
    }

    /// The file that defines what `path` names, seen from `module`; `None` for other crates.
    fn file_of(&self, module: &[String], path: &[&str], hands: usize) -> Option<usize> {
        let (first, mut rest) = path.split_first()?;
        let mut at: Vec<String> = module.to_vec();
        match *first {
            "crate" => at.clear(),
            "self" => {}
            "super" => {
                at.pop()?;
                while let Some((&"super", more)) = rest.split_first() {
                    at.pop()?;
                    rest = more;
                }
            }
            child => {
                at.push(child.to_owned());
                // Only a module of this file: other names are another crate's, or the file's own.
                if !self.modules.contains_key(at.as_slice()) {
                    return None;
                }
            }
        }
        loop {
            let number = *self.modules.get(at.as_slice())?;
            let Some((next, more)) = rest.split_first() else {
                return Some(number);
            };
            let mut child = at.clone();
            child.push((*next).to_owned());
            if self.modules.contains_key(child.as_slice()) {
                (at, rest) = (child, more);
                continue;
            }
            if self
                .defined
                .get(number)
                .is_some_and(|names| names.contains(*next))
                || *next == "*"
            {
                return Some(number);
            }
            let handed = self.imported.get(number)?.get(*next)?;
            let handed: Vec<&str> = handed.iter().map(String::as_str).collect();
            let from = &self.files.get(number)?.module;
            return if hands < MOST_HANDS {
                self.file_of(from, &handed, hands + 1)
            } else {
                None
            };
        }
    }
}

/// The names that a file defines at any depth: modules in a file are not looked at apart.
fn definitions(text: &str) -> BTreeSet<String> {
    const KINDS: [&str; 9] = [
        "fn",
        "struct",
        "enum",
        "trait",
        "type",
        "const",
        "static",
        "union",
        "macro_rules!",
    ];
    let words: Vec<&str> = text.split_whitespace().collect();
    words
        .windows(2)
        .filter(|pair| pair.first().is_some_and(|word| KINDS.contains(word)))
        .filter_map(|pair| {
            let name: String = pair
                .get(1)?
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            (!name.is_empty()).then_some(name)
        })
        .collect()
}

/// An imported path, and the name that it has in the file.
type Import = (Vec<String>, String);

/// All `use` declarations, a path for each name, and the text without them.
fn uses(text: &str) -> (Vec<Import>, String) {
    let mut found = Vec::new();
    let mut rest = String::with_capacity(text.len());
    let mut left = text;
    while let Some(at) = left.find("use ") {
        let before = left.get(..at).unwrap_or_default();
        let starts = before
            .chars()
            .next_back()
            .is_none_or(|c| c.is_whitespace() || c == ')');
        let after = left.get(at + 4..).unwrap_or_default();
        rest.push_str(before);
        match after.find(';').filter(|_| starts) {
            Some(end) => {
                let tree: String = after
                    .get(..end)
                    .unwrap_or_default()
                    .split_whitespace()
                    .collect::<Vec<_>>()
                    .join(" ");
                flatten(&tree, &[], &mut found);
                left = after.get(end + 1..).unwrap_or_default();
            }
            None => {
                rest.push_str("use ");
                left = after;
            }
        }
    }
    rest.push_str(left);
    (found, rest)
}

/// `a::{b, c::D as E}` becomes `a::b` and `a::c::D`.
fn flatten(tree: &str, before: &[String], found: &mut Vec<Import>) {
    let tree = tree.trim();
    if let Some((path, group)) = tree.split_once('{') {
        let mut prefix = before.to_vec();
        prefix.extend(
            path.split("::")
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(str::to_owned),
        );
        let mut depth = 0;
        let mut part = String::new();
        for c in group.chars() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    flatten(&part, &prefix, found);
                    part.clear();
                    continue;
                }
                _ => {}
            }
            part.push(c);
        }
        if !part.trim().is_empty() {
            flatten(&part, &prefix, found);
        }
        return;
    }
    let (path, alias) = tree
        .split_once(" as ")
        .map_or((tree, None), |(path, alias)| (path, Some(alias)));
    let mut full = before.to_vec();
    full.extend(path.split("::").map(|part| part.trim().to_owned()));
    if full.len() > 1 && full.last().is_some_and(|last| last == "self") {
        full.pop();
    }
    let name = alias.map_or_else(
        || full.last().cloned().unwrap_or_default(),
        |alias| alias.trim().to_owned(),
    );
    found.push((full, name));
}

/// Paths in code: `crate::a::B`, `super::c`, `child::D`.
fn paths_in(text: &str) -> Vec<Vec<String>> {
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    text.split(|c| !is_path(c))
        .filter(|word| word.contains("::") && !word.starts_with(':'))
        .map(|word| {
            word.split("::")
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect()
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn names(files: &[(&str, &str)]) -> Vec<String> {
        circles(&Crate::of(files))
            .into_iter()
            .flat_map(|circle| circle.names)
            .collect()
    }

    #[test]
    fn files_that_use_each_other_are_a_circle() {
        let found = names(&[
            ("", "mod a; mod b;"),
            ("a", "use crate::b::{B, other};\npub struct A(B);"),
            ("b", "pub struct B;\nfn f() { super::a::A; }"),
        ]);
        assert_eq!(found, ["a -> b (B)", "b -> a (A)"]);
    }

    #[test]
    fn a_name_that_is_handed_on_counts_for_its_own_file() {
        // b takes A through the root, which only hands it on.
        let files = [
            ("", "mod a; mod b;\npub use a::A; pub use b::B;"),
            ("a", "pub struct A;"),
            ("b", "use crate::A;\npub struct B(A);"),
        ];
        assert!(names(&files[..2]).is_empty());
        // The root uses b, and b uses what a defines: no circle.
        assert!(!names(&files).iter().any(|name| name.starts_with("b ->  (")));
        let circle = names(&[
            ("", "mod a;\nuse a::A; pub struct Root(A);"),
            ("a", "use crate::Root;\npub struct A(Root);"),
        ]);
        assert_eq!(circle, [" -> a (A)", "a ->  (Root)"]);
    }

    #[test]
    fn a_child_that_reaches_an_import_of_its_parent_does_not_import_the_parent() {
        let files = [
            ("", "mod word; mod parent;"),
            ("word", "pub struct Word;"),
            ("parent", "mod child;\nuse crate::word::Word;\nuse child::Child;"),
            ("parent/child", "use super::Word;\npub struct Child(Word);"),
        ];
        assert!(names(&files).is_empty());
    }

    #[test]
    fn groups_and_aliases_are_taken_apart() {
        let (found, rest) = uses("pub use a::{self, b::{C, D as E}};\nlet because = 1;");
        let found: Vec<String> = found
            .iter()
            .map(|(path, name)| format!("{} {name}", path.join("::")))
            .collect();
        assert_eq!(found, ["a a", "a::b::C C", "a::b::D E"]);
        assert!(rest.contains("because = 1"));
    }
}
