//! What a board remembers of its last updates: asked for when it is met, and after each update.

use super::{Station, now};

impl Station {
    /// The session has nothing to do.
    pub(super) fn ask_journal(&mut self) {
        // A board that keeps none, or is busy after all, has none to show.
        self.remembers = self.session.journal(now()).unwrap_or(false);
    }

    /// An update that was asked for meanwhile starts now.
    pub(super) fn heard_journal(&mut self) {
        self.remembers = false;
        if self.waits {
            self.start();
        }
    }
}
