//! What keeps a driver from a board, by name.

use bootlace_engine::Failure;
use std::io::ErrorKind;

use crate::address::Address;

/// No board was reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// None of the given ports is there.
    NoPort {
        /// The names and patterns, as they were given.
        names: Vec<String>,
    },
    /// No port was named, and no board is plugged in.
    NothingPluggedIn,
    /// Several boards may be meant.
    Several {
        /// The ports to them.
        ports: Vec<Address>,
    },
    /// The port could not be opened.
    Unopened {
        /// Which one.
        port: Address,
        /// Why.
        why: Unusable,
    },
    /// The port is open, and no board was understood there.
    NoBoard {
        /// Which one.
        port: Address,
        /// What the session says.
        failure: Failure,
    },
    /// The session gave up after the board was known.
    Failed(Failure),
}

/// Why a port can't be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It is not there, or went away.
    Missing,
    /// This user may not use it.
    Forbidden,
    /// Another program uses it.
    Busy,
    /// Anything else, in the system's words.
    Other(String),
}

impl From<&std::io::Error> for Unusable {
    fn from(error: &std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound => Unusable::Missing,
            ErrorKind::PermissionDenied => Unusable::Forbidden,
            ErrorKind::ResourceBusy => Unusable::Busy,
            _ => Unusable::Other(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_system_becomes_a_name() {
        let named = |kind: ErrorKind| Unusable::from(&std::io::Error::from(kind));
        assert_eq!(named(ErrorKind::NotFound), Unusable::Missing);
        assert_eq!(named(ErrorKind::PermissionDenied), Unusable::Forbidden);
        assert_eq!(named(ErrorKind::ResourceBusy), Unusable::Busy);
        assert!(matches!(named(ErrorKind::InvalidInput), Unusable::Other(_)));
    }
}
