//! What is being done with a board.

use super::job::Job;

/// What is being done with a board.
pub(super) enum Doing {
    /// Nothing.
    Idle,
    /// It is being asked for its journal; the update that the person asked for meanwhile waits.
    Journal(Option<Job>),
    /// An update waits for its patch.
    Preparing(Job),
    /// The session updates it.
    Updating(Job),
    /// It is let go.
    Over,
}

impl Doing {
    /// The update that is under way.
    pub(super) fn job_mut(&mut self) -> Option<&mut Job> {
        match self {
            Doing::Journal(job) => job.as_mut(),
            Doing::Preparing(job) | Doing::Updating(job) => Some(job),
            Doing::Idle | Doing::Over => None,
        }
    }

    /// The update that is under way.
    pub(super) fn job(&self) -> Option<&Job> {
        match self {
            Doing::Journal(job) => job.as_ref(),
            Doing::Preparing(job) | Doing::Updating(job) => Some(job),
            Doing::Idle | Doing::Over => None,
        }
    }
}
