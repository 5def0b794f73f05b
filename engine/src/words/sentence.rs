//! A sentence about a thing that went wrong.

use alloc::string::String;

/// A thing that went wrong, ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// The error's name in the code: stable, for logs and tests.
    pub name: String,
    /// What happened.
    pub what: String,
    /// The next step to take.
    pub next: String,
    /// What whoever builds or signs the firmware can do about it.
    pub developers: Option<&'static str>,
    /// The board is as it was before: it runs what it ran.
    pub unharmed: bool,
}

impl Sentence {
    /// Of a thing that leaves the board as it was.
    pub(crate) fn new(name: impl Into<String>, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            what: what.into(),
            next: next.into(),
            developers: None,
            unharmed: true,
        }
    }

    /// With what whoever builds or signs the firmware can do about it.
    pub(crate) fn for_developers(self, developers: Option<&'static str>) -> Self {
        Self { developers, ..self }
    }
}
