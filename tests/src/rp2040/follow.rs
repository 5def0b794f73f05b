//! Following a board's comings and goings on its bus.

use std::sync::Arc;
use std::time::Duration;

use super::process::{Pico, Voice};

/// Who follows, from any thread.
#[derive(Clone, Debug)]
pub(crate) struct Follower(Arc<Voice>);

impl Pico {
    /// Follows this board.
    pub(crate) fn follower(&self) -> Follower {
        Follower(Arc::clone(&self.voice))
    }
}

impl Follower {
    /// The number of the arrival, once the board is on the bus by a later one than `served`; `None`: not within `limit`.
    pub(crate) fn next(&self, served: u32, limit: Duration) -> Option<u32> {
        self.0.wait(limit, |seen| {
            (seen.info.is_some() && seen.arrivals > served).then_some(seen.arrivals)
        })
    }

    /// Whether the board has left since that arrival; waits for it, at most `limit`.
    pub(crate) fn is_over(&self, arrival: u32, limit: Duration) -> bool {
        let over = self.0.wait(limit, |seen| {
            (seen.info.is_none() || seen.arrivals != arrival).then_some(())
        });
        over.is_some()
    }
}
