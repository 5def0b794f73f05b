//! What an application links: the SMP server, confirm, and the way back to the bootloader.
//!
//! An application that was just updated is on trial: it runs its self-tests, then [`Application::confirm`]s itself.
//! If it has not done so by the deadline, [`Application::step`] asks for a reset, and the bootloader brings the
//! previous image back. Meanwhile the same SMP server as the bootloader's answers over the application's own port:
//! a new image can be uploaded while the application runs, or with feature `delta` a patch, for which the running image is
//! the base: `Application::step_with` needs 8 KB for that, which may be a function's own and are free again whenever a
//! step asks for something else.
//!
//! Nothing here knows a clock: the caller says how many milliseconds have passed since the application started.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(feature = "delta")]
pub use bootlace_core::Applier;
use bootlace_core::board::Board;
use bootlace_core::flash::{Flash, FlashError};
use bootlace_core::link::{Link, Memory};
use bootlace_core::server::{Role, Server, Step};
use bootlace_core::slots::{Check, Found, Reject};
use bootlace_core::trailer::is_on_trial;
use bootlace_smp::bootlace::{Reset, RollbackReason, Supply};

/// What a step came to.
#[derive(Clone, Copy, Debug)]
pub enum Action {
    /// Nothing to do until bytes arrive or leave, or the deadline comes.
    Idle,
    /// More can be done at once.
    Working,
    /// Run the check, then hand its verdict to [`Application::verified`].
    Verify(Check),
    /// Restart the chip.
    Restart(Restart),
}

impl From<Step> for Action {
    fn from(step: Step) -> Self {
        match step {
            Step::Idle => Action::Idle,
            Step::Working => Action::Working,
            Step::Verify(check) => Action::Verify(check),
            Step::Reset { bootloader } => Action::Restart(Restart {
                bootloader,
                gave_up: None,
            }),
        }
    }
}

/// How to restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restart {
    /// Into the bootloader, to stay there.
    pub bootloader: bool,
    /// The application gives itself up: leave this in RAM that survives the reset, for the bootloader.
    pub gave_up: Option<RollbackReason>,
}

/// The running application, as the update sees it.
#[derive(Debug)]
pub struct Application<'a> {
    server: Server<'a>,
    /// Milliseconds after the start; `None` once confirmed.
    deadline: Option<u64>,
    failed: Option<RollbackReason>,
}

impl<'a> Application<'a> {
    /// Reads the records and trailers. `reset` is why the chip last started.
    pub fn new<F: Flash>(flash: &mut F, board: &'a Board<'a>, reset: Reset) -> Self {
        let server = Server::new(board, Role::application(flash), reset);
        let deadline = is_on_trial(flash, server.state()).then_some(u64::from(board.policy.deadline) * 1000);
        Application {
            server,
            deadline,
            failed: None,
        }
    }

    /// What the board's supply is now: below its limit no update begins.
    pub fn measured(&mut self, supply: Supply) {
        self.server.measured(supply);
    }

    /// Whether the running image has yet to confirm itself. It is read anew: somebody may have confirmed it over the wire.
    pub fn is_on_trial<F: Flash>(&mut self, flash: &mut F) -> bool {
        self.deadline = self.deadline.filter(|_| is_on_trial(flash, self.server.state()));
        self.deadline.is_some()
    }

    /// When the trial ends, in milliseconds after the start.
    pub fn deadline(&self) -> Option<u64> {
        self.deadline
    }

    /// The self-tests passed: the image stays.
    ///
    /// # Errors
    /// The flash's own; the image is still on trial then.
    pub fn confirm<F: Flash>(&mut self, flash: &mut F) -> Result<(), FlashError> {
        self.server.confirm(flash)?;
        self.deadline = None;
        Ok(())
    }

    /// How often the running image may still be started before it is given up, this start not counted; `None` once
    /// it is confirmed.
    pub fn attempts_left(&self) -> Option<u8> {
        self.deadline.map(|_| self.server.attempts_left())
    }

    /// A self-test failed: the next step asks for the reset that brings the previous image back. `test` is the
    /// application's own number of it, at most 127, which the board then reports; 0 for one that has none. A confirmed
    /// image has none to go back to: nothing happens.
    pub fn fail(&mut self, test: u8) {
        self.failed = self.deadline.map(|_| RollbackReason::self_test(test));
    }

    /// To the bootloader, to stay there: what to do when the user of the device asks for it.
    pub const fn return_to_bootloader(&self) -> Restart {
        Restart {
            bootloader: true,
            gave_up: None,
        }
    }

    /// Answers packets, does at most one flash operation, and watches the deadline. `now` is in milliseconds after
    /// the start.
    pub fn step<F: Flash, M: Memory>(&mut self, link: &mut Link<M>, flash: &mut F, now: u64) -> Action {
        self.give_up(flash, now)
            .unwrap_or_else(|| self.server.step(link, flash).into())
    }

    /// The same, and takes patches: see [`Server::step_with`].
    #[cfg(feature = "delta")]
    pub fn step_with<F: Flash, M: Memory>(
        &mut self,
        link: &mut Link<M>,
        flash: &mut F,
        now: u64,
        applier: &mut Applier,
    ) -> Action {
        self.give_up(flash, now)
            .unwrap_or_else(|| self.server.step_with(link, flash, applier).into())
    }

    /// Whether the trial has failed.
    fn give_up<F: Flash>(&mut self, flash: &mut F, now: u64) -> Option<Action> {
        let due = self
            .deadline
            .is_some_and(|deadline| now >= deadline || self.failed.is_some());
        if due && self.is_on_trial(flash) {
            let gave_up = self.failed.or(Some(RollbackReason::Deadline));
            return Some(Action::Restart(Restart {
                bootloader: false,
                gave_up,
            }));
        }
        None
    }

    /// Takes the verdict on the image that the last [`Action::Verify`] asked about.
    pub fn verified<F: Flash, M: Memory>(
        &mut self,
        link: &mut Link<M>,
        flash: &mut F,
        verdict: Result<Found, Reject>,
    ) {
        self.server.verified(link, flash, verdict);
    }
}
