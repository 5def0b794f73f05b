//! A table as terminals show it.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Display};

/// Names on the left, values on the right, remarks below.
#[derive(Clone, Debug, Default)]
pub struct Table {
    title: String,
    rows: Vec<(&'static str, String)>,
    notes: Vec<String>,
}

impl Table {
    /// An empty table.
    pub(super) fn new(title: impl Into<String>) -> Self {
        Table {
            title: title.into(),
            ..Table::default()
        }
    }

    /// Adds a row below the others.
    pub(super) fn row(&mut self, name: &'static str, value: impl Display) {
        self.rows.push((name, value.to_string()));
    }

    /// Adds a remark below the table.
    pub(super) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        writeln!(f, "{}", self.title)?;
        for (name, value) in &self.rows {
            writeln!(f, "  {name:<width$}  {value}")?;
        }
        for note in &self.notes {
            writeln!(f)?;
            for line in note.lines() {
                writeln!(f, "  {line}")?;
            }
        }
        Ok(())
    }
}
