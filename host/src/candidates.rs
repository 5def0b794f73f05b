//! Which ports may be the board's.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

/// Ports that may be the board's: names or patterns, in the order given.
#[derive(Clone, Debug)]
pub struct Candidates {
    patterns: Vec<String>,
}

impl Candidates {
    /// From names, or patterns such as `/dev/ttyACM*`.
    pub fn new(patterns: &[String]) -> Self {
        Candidates {
            patterns: patterns.to_vec(),
        }
    }

    /// Those that are there now, `first` before the others.
    pub fn now(&self, first: Option<&Path>) -> VecDeque<PathBuf> {
        let mut found = VecDeque::new();
        for pattern in &self.patterns {
            // A name with a bracket in it may be no pattern.
            let names = glob::glob(pattern).map(|paths| paths.filter_map(Result::ok).collect::<Vec<_>>());
            let mut names = names.unwrap_or_default();
            if names.is_empty() && (cfg!(windows) || Path::new(pattern).exists()) {
                names.push(PathBuf::from(pattern));
            }
            found.extend(names);
        }
        if let Some(at) = found.iter().position(|path| Some(path.as_path()) == first)
            && let Some(path) = found.remove(at)
        {
            found.push_front(path);
        }
        let mut seen = Vec::new();
        found.retain(|path| {
            let new = !seen.contains(path);
            seen.push(path.clone());
            new
        });
        found
    }

    /// The names and patterns, as they were given.
    pub fn names(&self) -> &[String] {
        &self.patterns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_are_the_ports_that_are_there_in_the_order_given() {
        let folder = std::env::temp_dir().join(format!("bootlace-ports-{}", std::process::id()));
        std::fs::create_dir_all(&folder).ok();
        let path = |name: &str| folder.join(name);
        for name in ["tty1", "tty2", "other"] {
            std::fs::write(path(name), "").ok();
        }
        let text = |name: &str| path(name).display().to_string();
        let candidates = Candidates::new(&[text("other"), text("missing"), text("tty*"), text("tty2")]);
        assert_eq!(candidates.now(None), [path("other"), path("tty1"), path("tty2")]);
        assert_eq!(
            candidates.now(Some(&path("tty2"))),
            [path("tty2"), path("other"), path("tty1")]
        );
        std::fs::remove_file(path("tty2")).ok();
        assert_eq!(candidates.now(Some(&path("tty2"))), [path("other"), path("tty1")]);
        std::fs::remove_dir_all(&folder).ok();
    }
}
