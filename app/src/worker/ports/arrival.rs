//! What comes out of an open port, and why one can't be opened.

use futures_channel::mpsc::UnboundedSender;

/// What comes out of an open port.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// Bytes.
    Bytes(Vec<u8>),
    /// The port is gone.
    Lost,
}

/// Where the arrivals of one open port go.
pub(crate) type Arrivals = UnboundedSender<Arrival>;

/// Why a port could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpenError {
    /// Somebody else has it.
    Busy,
    /// The system does not let this user have it.
    Denied,
    /// It is no longer there.
    Gone,
}
