//! Who runs the server.

use bootlace_smp::bootlace::BootState;

use crate::flash::Flash;
use crate::state::{Log, State};

/// Who runs the server, and what it knows of the records. A type of its own for each links no code for the other.
pub trait Runner {
    /// What the records say.
    fn state(&self) -> &State;

    /// The records, where they may be written: in a bootloader.
    fn log(&mut self) -> Option<&mut Log>;

    /// Why a bootloader did not start an image; `None` in an application.
    fn condition(&self) -> Option<BootState>;

    /// The bootloader started the image on trial, and nobody has confirmed it since. Its trailer may read as confirmed all
    /// the same: a confirmation that was torn does, now and then, and what the secondary slot holds is still needed.
    fn is_doubtful(&self) -> bool {
        false
    }

    /// The running image was confirmed.
    fn confirmed(&mut self) {}
}

/// The bootloader: it keeps the records, and says why it is there.
#[derive(Debug)]
pub struct Bootloader {
    /// The records.
    pub log: Log,
    /// Why it did not start an image.
    pub condition: BootState,
}

impl Runner for Bootloader {
    fn state(&self) -> &State {
        self.log.state()
    }

    fn log(&mut self) -> Option<&mut Log> {
        Some(&mut self.log)
    }

    fn condition(&self) -> Option<BootState> {
        Some(self.condition)
    }
}

/// Either, as a simulator needs it.
#[derive(Debug)]
pub enum Role {
    /// The bootloader: it keeps the records, and says why it is there.
    Bootloader {
        /// The records.
        log: Log,
        /// Why it did not start an image.
        condition: BootState,
    },
    /// The application: it reads the records and leaves the state area alone, which its bootloader may have locked.
    Application {
        /// What the records said at start-up.
        state: State,
        /// It was confirmed since.
        confirmed: bool,
    },
}

impl Role {
    /// An application that has just started.
    pub fn application<F: Flash>(flash: &mut F) -> Self {
        Role::Application {
            state: *Log::mount(flash).state(),
            confirmed: false,
        }
    }
}

impl Runner for Role {
    fn state(&self) -> &State {
        match self {
            Role::Bootloader { log, .. } => log.state(),
            Role::Application { state, .. } => state,
        }
    }

    fn log(&mut self) -> Option<&mut Log> {
        match self {
            Role::Bootloader { log, .. } => Some(log),
            Role::Application { .. } => None,
        }
    }

    fn condition(&self) -> Option<BootState> {
        match self {
            Role::Bootloader { condition, .. } => Some(*condition),
            Role::Application { .. } => None,
        }
    }

    fn is_doubtful(&self) -> bool {
        match self {
            Role::Bootloader { .. } => false,
            Role::Application { state, confirmed } => state.trial.is_some() && !confirmed,
        }
    }

    fn confirmed(&mut self) {
        if let Role::Application { confirmed, .. } = self {
            *confirmed = true;
        }
    }
}
