//! Who runs the server.

use core::fmt::Debug;

use bootlace_image::Verification;
use bootlace_smp::bootlace::BootState;

use crate::check::{Proof, ProofByKeys};
use crate::flash::Flash;
use crate::state::{Log, State};

/// Who runs the server, and what it knows of the records. A type of its own for each links no code for the other.
pub trait Runner {
    /// What is proved of an image before it is marked.
    type Proof: Proof + Debug;

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
    type Proof = Verification;

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

/// A running application: it reads the records and leaves the state area alone, which its bootloader may have locked.
#[derive(Debug)]
pub struct Running {
    /// What the records said at start-up.
    state: State,
    /// The running image was confirmed since.
    confirmed: bool,
}

impl Running {
    /// An application that has just started.
    pub fn new<F: Flash>(flash: &mut F) -> Self {
        Running {
            state: *Log::mount(flash).state(),
            confirmed: false,
        }
    }
}

impl Runner for Running {
    type Proof = ProofByKeys;

    fn state(&self) -> &State {
        &self.state
    }

    fn log(&mut self) -> Option<&mut Log> {
        None
    }

    fn condition(&self) -> Option<BootState> {
        None
    }

    fn is_doubtful(&self) -> bool {
        self.state.trial.is_some() && !self.confirmed
    }

    fn confirmed(&mut self) {
        self.confirmed = true;
    }
}
