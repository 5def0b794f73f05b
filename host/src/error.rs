//! What keeps a driver from a board, by name.

use bootlace_engine::Failure;

use crate::address::Address;
use crate::unusable::Unusable;

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
