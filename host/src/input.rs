//! What comes from an open port, whichever way it goes.

use std::sync::mpsc::Sender;
use std::time::Duration;

/// What a port's thread says. The number tells ports apart that were opened one after another.
#[derive(Debug)]
pub(crate) enum Input {
    /// Bytes arrived.
    Bytes(u64, Vec<u8>),
    /// The port is gone.
    Gone(u64),
}

/// How long the reading thread may take to notice that the port is being closed.
pub(crate) const READ_TIMEOUT: Duration = Duration::from_millis(20);
/// How long a write may hold up everything else.
pub(crate) const WRITE_TIMEOUT: Duration = Duration::from_millis(20);
/// Bytes written at once: few enough that answers are seen meanwhile.
pub(crate) const WRITE_BYTES: usize = 1024;

/// Where the input of one port goes.
#[derive(Clone, Debug)]
pub(crate) struct Inputs {
    /// Which of all ports that were opened.
    pub(crate) number: u64,
    /// The driver's end.
    pub(crate) sender: Sender<Input>,
}

impl Inputs {
    /// Hands over bytes; `false`: nobody listens any more.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> bool {
        self.sender
            .send(Input::Bytes(self.number, bytes.to_vec()))
            .is_ok()
    }

    /// The port is gone.
    pub(crate) fn gone(&self) {
        // A driver that has ended needs no word of its ports.
        _ = self.sender.send(Input::Gone(self.number));
    }
}
