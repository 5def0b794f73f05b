//! What an application links: the SMP server, confirm, and the way back to the bootloader.
//!
//! An application that was just updated is on trial: it runs its self-tests, then [`Application::confirm`]s itself.
//! If it has not done so by the deadline, the next [`Owner::poll`] asks for a reset, and the bootloader brings the
//! previous image back. Meanwhile the same SMP server as the bootloader's answers over the application's own port:
//! a new image can be uploaded while the application runs, or with feature `delta` a patch, for which the running image is
//! the base: a poll needs 8 KB for that, which may be a function's own and are free again while an image is checked.
//!
//! Only the application's own self-test confirms it: over the wire an image on trial is confirmed where the product says so
//! ([`Policy::confirm_over_wire`](bootlace_core::board::Policy::confirm_over_wire)).
//!
//! Nothing here knows a clock: the caller says how many milliseconds have passed since the application started.
#![no_std]
#![forbid(unsafe_code)]

pub use bootlace_core::Applier;
use bootlace_core::board::Identity;
use bootlace_core::flash::{Flash, FlashError};
use bootlace_core::server::{Running, Server};
use bootlace_core::serving::Serving;
use bootlace_core::trailer::is_on_trial;
use bootlace_core::wire::Wire;
pub use bootlace_core::{Next, Owner};
use bootlace_smp::bootlace::{Reset, RollbackReason, Supply};

/// The running application, as the update sees it.
#[derive(Debug)]
pub struct Application<'a> {
    serving: Serving<'a, Running>,
    /// Milliseconds after the start; `None` once confirmed.
    deadline: Option<u64>,
    failed: Option<RollbackReason>,
}

impl<'a> Application<'a> {
    /// Reads the records and trailers. `reset` is why the chip last started.
    pub fn new<F: Flash>(flash: &mut F, board: &'a Identity<'a>, reset: Reset) -> Self {
        let server = Server::new(board, Running::new(flash), reset);
        let deadline = is_on_trial(flash, server.state()).then_some(u64::from(board.policy.deadline) * 1000);
        Application {
            serving: Serving::new(server),
            deadline,
            failed: None,
        }
    }

    /// Whether the running image has yet to confirm itself. It is read anew: somebody may have confirmed it over the wire.
    pub fn is_on_trial<F: Flash>(&mut self, flash: &mut F) -> bool {
        self.deadline = self
            .deadline
            .filter(|_| is_on_trial(flash, self.serving.server.state()));
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
        self.serving.server.confirm(flash)?;
        self.deadline = None;
        Ok(())
    }

    /// How often the running image may still be started before it is given up, this start not counted; `None` once
    /// it is confirmed.
    pub fn attempts_left(&self) -> Option<u8> {
        self.deadline.map(|_| self.serving.server.attempts_left())
    }

    /// A self-test failed: the next poll asks for the reset that brings the previous image back. `test` is the
    /// application's own number of it, at most 127, which the board then reports; 0 for one that has none. A confirmed
    /// image has none to go back to: nothing happens.
    pub fn fail(&mut self, test: u8) {
        self.failed = self.deadline.map(|_| RollbackReason::self_test(test));
    }

    /// To the bootloader, to stay there: what to do when the user of the device asks for it.
    pub const fn return_to_bootloader(&self) -> Next {
        Next::Reset {
            bootloader: true,
            gave_up: None,
        }
    }

    /// The reset that ends a trial which has failed.
    fn give_up<F: Flash>(&mut self, flash: &mut F, now: u64) -> Option<Next> {
        let due = self
            .deadline
            .is_some_and(|deadline| now >= deadline || self.failed.is_some());
        (due && self.is_on_trial(flash)).then(|| Next::Reset {
            bootloader: false,
            gave_up: self.failed.or(Some(RollbackReason::Deadline)),
        })
    }
}

impl Owner for Application<'_> {
    /// Answers packets, does at most one flash operation, and watches the deadline. `now` is in milliseconds after the
    /// start.
    fn poll<F: Flash, W: Wire>(
        &mut self,
        flash: &mut F,
        wire: &mut W,
        now: u64,
        patches: Option<&mut Applier>,
    ) -> Next {
        if let Some(reset) = self.give_up(flash, now) {
            return reset;
        }
        match self.serving.poll(flash, wire, now, patches) {
            Next::Idle { until } => Next::Idle {
                until: [until, self.deadline].into_iter().flatten().min(),
            },
            next => next,
        }
    }

    fn is_serving(&self) -> bool {
        true
    }

    fn is_checking(&self) -> bool {
        self.serving.server.is_checking()
    }

    fn measured(&mut self, supply: Supply) {
        self.serving.server.measured(supply);
    }

    fn presence(&mut self, is_present: bool) {
        self.serving.server.presence(is_present);
    }
}

/// For tests that know the verdict on the same bytes already.
#[cfg(feature = "known-verdicts")]
impl Application<'_> {
    /// Which image is about to be checked, and the security counter that the image must reach.
    pub fn question(&self) -> Option<(bootlace_core::flash::Area, u32)> {
        self.serving.server.question()
    }

    /// Takes the verdict on the [`Application::question`] instead of finding it out.
    pub fn answer_check<F: Flash, W: Wire>(
        &mut self,
        flash: &mut F,
        wire: &mut W,
        verdict: Result<bootlace_core::slots::Found, bootlace_core::slots::Reject>,
    ) {
        self.serving.server.answer_check(wire, flash, verdict);
    }
}
