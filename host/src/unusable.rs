//! Why a port can't be opened, by name.

use std::io::ErrorKind;

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
