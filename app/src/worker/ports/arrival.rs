//! What comes out of an open port, and why one can't be opened.

use futures_channel::mpsc::UnboundedSender;

/// What comes out of an open port. The number is the one that it was opened with, so that the last words of a port
/// that was closed are not taken for the next one's.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// Bytes.
    Bytes(u32, Vec<u8>),
    /// The port is gone.
    Lost(u32),
}

/// Where arrivals go.
pub(crate) type Arrivals = UnboundedSender<Arrival>;

/// Why a port could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpenError {
    /// Somebody else has it.
    Busy,
    /// It is no longer there.
    Gone,
}
