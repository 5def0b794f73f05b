//! What is being done with a board, and who waits for that.

use std::rc::Rc;

use super::job::Job;
use super::orders::{LetGo, Wanted};
use super::scope::{log, tell};
use crate::messages::{BoardId, LogFact, Notice, PageError, Problem};

/// How a board is met.
pub(super) struct Contact {
    /// Its number.
    pub(super) id: BoardId,
    /// A person waits for it.
    pub(super) asked: bool,
    /// Nobody waits for it: what is wrong with its port goes to the log only.
    pub(super) quiet: bool,
    /// What is wanted of it.
    pub(super) wanted: Rc<Wanted>,
}

impl Contact {
    /// A port that nobody asked for, and that went away or is taken, is no matter for the person.
    pub(super) fn tell_port_problem(&self, problem: Problem) {
        let passing = matches!(problem, Problem::Page(PageError::PortVanished));
        log(LogFact::Problem(problem.clone()));
        if self.asked || !(self.quiet || passing) {
            tell(&Notice::Ports(Some(problem)));
        }
    }
}

/// What is being done with a board.
pub(super) enum Doing {
    /// It is being asked who it is, for the first time.
    Meeting,
    /// Nothing.
    Idle,
    /// It is being asked for its journal; the update that the person asked for meanwhile waits.
    Journal(Option<Job>),
    /// An update waits for its patch.
    Preparing(Job),
    /// The session updates it.
    Updating(Job),
    /// It is let go.
    Over(LetGo),
}

impl Doing {
    /// The update that is under way.
    pub(super) fn job_mut(&mut self) -> Option<&mut Job> {
        match self {
            Doing::Journal(job) => job.as_mut(),
            Doing::Preparing(job) | Doing::Updating(job) => Some(job),
            Doing::Meeting | Doing::Idle | Doing::Over(_) => None,
        }
    }

    /// The update that is under way.
    pub(super) fn job(&self) -> Option<&Job> {
        match self {
            Doing::Journal(job) => job.as_ref(),
            Doing::Preparing(job) | Doing::Updating(job) => Some(job),
            Doing::Meeting | Doing::Idle | Doing::Over(_) => None,
        }
    }
}
