//! The bootloader as the one owner of its board, from reset to the jump into an image or to the next reset.

use bootlace_smp::bootlace::{BootState, Reset, Supply};

use crate::applier::Applier;
use crate::board::Identity;
use crate::boot::{Decider, Decision, Start};
use crate::flash::Flash;
use crate::server::{Bootloader, Server};
use crate::serving::{Next, Owner, Serving};
use crate::state::State;
use crate::wire::Wire;

/// The bootloader: decides what runs, and where that is nothing, serves SMP.
#[derive(Debug)]
pub struct Companion<'a> {
    board: &'a Identity<'a>,
    reset: Reset,
    stage: CompanionStage<'a>,
    /// Milliseconds without a request after which the application is started again; 0: never.
    patience: u32,
    /// When it was asked for something last.
    asked: u64,
}

#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "a chip has no heap, and needs room for either anyway"
)]
enum CompanionStage<'a> {
    Deciding(Decider<'a>),
    Serving(Serving<'a, Bootloader>),
}

impl<'a> Companion<'a> {
    /// A bootloader that has just started. Reads the state area; writes nothing yet.
    pub fn new<F: Flash>(flash: &mut F, board: &'a Identity<'a>, start: Start) -> Self {
        Companion {
            board,
            reset: start.reset,
            stage: CompanionStage::Deciding(Decider::new(flash, board, start)),
            patience: match board.policy.idle_return {
                Some(seconds) if start.requested && !start.held => u32::from(seconds) * 1000,
                _ => 0,
            },
            asked: 0,
        }
    }

    /// What the records say.
    pub fn state(&self) -> &State {
        match &self.stage {
            CompanionStage::Deciding(decider) => decider.log().state(),
            CompanionStage::Serving(serving) => serving.server.state(),
        }
    }

    /// Why no image was started, while it serves.
    pub fn condition(&self) -> Option<BootState> {
        match &self.stage {
            CompanionStage::Deciding(_) => None,
            CompanionStage::Serving(serving) => serving.server.condition(),
        }
    }

    /// Copies done and in all, while a swap is under way.
    pub fn swap_progress(&self) -> Option<(u16, u16)> {
        match &self.stage {
            CompanionStage::Deciding(decider) => decider.swap_progress(),
            CompanionStage::Serving(_) => None,
        }
    }

    /// What is next, unless the application is to be started again because nobody asks for anything.
    #[inline(never)]
    fn or_return(&mut self, next: Next, now: u64, is_asked: bool) -> Next {
        if is_asked || self.asked == 0 {
            self.asked = now.max(1);
        }
        let Next::Idle { until } = next else {
            return next;
        };
        if self.patience == 0 || self.condition() != Some(BootState::Requested) {
            return next;
        }
        let at = self.asked.saturating_add(u64::from(self.patience));
        if now < at {
            let until = until.filter(|until| *until < at);
            return Next::Idle {
                until: until.or(Some(at)),
            };
        }
        Next::Reset {
            bootloader: false,
            gave_up: None,
        }
    }

    // Its frame holds a server on its way to where the server stays, and must not become part of the caller's, which may
    // hold the applier.
    #[inline(never)]
    fn decide<F: Flash>(&mut self, flash: &mut F) -> Next {
        let CompanionStage::Deciding(decider) = &mut self.stage else {
            return Next::Again;
        };
        match decider.step(flash) {
            None => Next::Again,
            Some(Decision::Boot { vectors, trial }) => Next::Boot { vectors, trial },
            Some(Decision::Stay(condition)) => {
                let log = decider.log().clone();
                let server = Server::new(self.board, Bootloader { log, condition }, self.reset);
                self.stage = CompanionStage::Serving(Serving::new(server));
                Next::Again
            }
        }
    }
}

impl Owner for Companion<'_> {
    fn poll<F: Flash, W: Wire>(
        &mut self,
        flash: &mut F,
        wire: &mut W,
        now: u64,
        patches: Option<&mut Applier>,
    ) -> Next {
        match &mut self.stage {
            CompanionStage::Deciding(_) => self.decide(flash),
            CompanionStage::Serving(serving) => {
                let is_asked = wire.packet().is_some();
                let next = serving.poll(flash, wire, now, patches);
                self.or_return(next, now, is_asked)
            }
        }
    }

    fn is_serving(&self) -> bool {
        matches!(self.stage, CompanionStage::Serving(_))
    }

    fn is_checking(&self) -> bool {
        match &self.stage {
            // Everything there is a check or prepares one.
            CompanionStage::Deciding(_) => true,
            CompanionStage::Serving(serving) => serving.server.is_checking(),
        }
    }

    fn measured(&mut self, supply: Supply) {
        if let CompanionStage::Serving(serving) = &mut self.stage {
            serving.server.measured(supply);
        }
    }

    fn presence(&mut self, is_present: bool) {
        if let CompanionStage::Serving(serving) = &mut self.stage {
            serving.server.presence(is_present);
        }
    }
}

/// For tests that start a board millions of times and know the verdict on the same bytes already.
#[cfg(feature = "known-verdicts")]
impl Companion<'_> {
    /// Which image is about to be checked, and the security counter that the image must reach.
    pub fn question(&self) -> Option<(crate::flash::Area, u32)> {
        match &self.stage {
            CompanionStage::Deciding(decider) => decider.question(),
            CompanionStage::Serving(serving) => serving.server.question(),
        }
    }

    /// Takes the verdict on the [`Companion::question`] instead of finding it out.
    pub fn answer_check<F: Flash, W: Wire>(
        &mut self,
        flash: &mut F,
        wire: &mut W,
        verdict: Result<crate::slots::Found, crate::slots::Reject>,
    ) {
        match &mut self.stage {
            CompanionStage::Deciding(decider) => decider.answer(flash, verdict),
            CompanionStage::Serving(serving) => serving.server.answer_check(wire, flash, verdict),
        }
    }
}
