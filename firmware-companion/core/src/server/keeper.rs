//! What the board knows of itself, and what may be done to it now.

use bootlace_smp::bootlace::{BootState, Reset, Supply};
use bootlace_smp::{ErrorCode, Fault, bootlace, img};

use super::role::Runner;
use crate::allow::{Permission, RequestKind};
use crate::board::Identity;
use crate::flash::{Area, Flash, FlashError};
use crate::slots::find;
use crate::state::{MOST_STARTS, Record, State};
use crate::trailer::{confirm, is_on_trial};
use crate::wire::Origin;

/// The board as the server keeps it.
// In this order: see `Server`.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Keeper<'a, R> {
    pub(super) board: &'a Identity<'a>,
    /// Why the chip last started.
    pub(super) reset: Reset,
    /// The supply when it was last measured.
    pub(super) supply: Option<Supply>,
    /// Somebody is present.
    pub(super) is_present: bool,
    /// Records that could not be written. When there are too many, the board only answers questions.
    failures: u8,
    pub(super) role: R,
}

/// So many failures are taken for a state area that is worn out or write-protected.
const MAX_FAILURES: u8 = 3;

impl<'a, R: Runner> Keeper<'a, R> {
    pub(super) fn new(board: &'a Identity<'a>, role: R, reset: Reset) -> Self {
        Keeper {
            board,
            role,
            reset,
            supply: None,
            is_present: false,
            failures: 0,
        }
    }

    /// What the records say.
    pub(super) fn state(&self) -> &State {
        self.role.state()
    }

    pub(super) fn is_application(&self) -> bool {
        self.role.condition().is_none()
    }

    /// Whether the primary slot's image has yet to confirm itself.
    pub(super) fn is_on_trial<F: Flash>(&self, flash: &mut F) -> bool {
        is_on_trial(flash, self.state())
    }

    /// The security counter that the next image must reach. The records hear of a confirmed image's at the next start: it
    /// counts from its confirmation on.
    #[inline(never)]
    pub(super) fn counter<F: Flash>(&self, flash: &mut F) -> u32 {
        let recorded = self.state().counter;
        if !self.is_application() || self.is_on_trial(flash) {
            return recorded;
        }
        let running = find(flash, Area::Primary).and_then(|found| found.image.security_counter());
        recorded.max(running.unwrap_or(0))
    }

    pub(super) fn is_supply_low(&self) -> bool {
        self.supply.is_some_and(|supply| supply.is_low())
    }

    /// Why such a request is refused, if it is: the code, and words for whoever reads a stock client's log.
    pub(super) fn denies(&self, kinds: [RequestKind; 2], origin: Origin) -> Option<(Fault, &'static str)> {
        let rules = &self.board.policy.allow;
        kinds.iter().find_map(|kind| match rules.allow(*kind, origin) {
            Permission::Granted => None,
            Permission::WithPresence if self.is_present => None,
            Permission::WithPresence => {
                Some((bootlace::ErrorCode::NobodyPresent.into(), "nobody is present"))
            }
            Permission::Denied => Some((ErrorCode::AccessDenied.into(), "the product does not allow it")),
        })
    }

    /// How often an image on trial may still be started before it is given up.
    pub(super) fn attempts_left(&self) -> u8 {
        let attempts = self.board.policy.attempts.max(1);
        attempts.saturating_sub(self.state().trial.unwrap_or(attempts))
    }

    /// Writes what the records have to say, one flash operation at a time; false when there is nothing to write. Nothing
    /// that relies on a record is done before.
    pub(super) fn write_records<F: Flash>(&mut self, flash: &mut F) -> bool {
        let can_write = self.failures < MAX_FAILURES;
        let Some(log) = self.role.log().filter(|log| log.busy() && can_write) else {
            return false;
        };
        let failed = log.step(flash).is_err();
        self.failures += u8::from(failed);
        true
    }

    /// Whether the secondary slot may be written, erased or marked; a record says so before anything is done, so that what
    /// an earlier start left half-written can't come back later and speak of what is no longer there.
    pub(super) fn may_change<F: Flash>(&mut self, flash: &mut F) -> Result<(), Fault> {
        let (saved, recorded, swaps) = {
            let state = self.state();
            (state.saved, state.recorded, state.swap.is_some())
        };
        let known = saved || !recorded;
        let on_trial = self.role.is_doubtful() || self.is_on_trial(flash);
        if swaps || (known && on_trial && !self.starts_nothing()) {
            // The slot holds what the board goes back to, or a swap is to be finished first.
            return Err(ErrorCode::BadState.into());
        }
        if self.is_supply_low() {
            return Err(bootlace::ErrorCode::SupplyLow.into());
        }
        if self.failures >= MAX_FAILURES {
            return Err(img::ErrorCode::FlashWriteFailed.into());
        }
        let trial = self.state().trial;
        if let Some(log) = self.role.log() {
            if known && on_trial {
                // The image failed its trial, and what the board would go back to can't run: the trial stays failed when
                // the slot changes, whoever began it.
                log.push(Record::Trial(trial.unwrap_or(MOST_STARTS)));
            } else if known && trial.is_some() {
                // What the board could go back to is about to go: a confirmation that was torn must never read as unset
                // again.
                log.push(Record::Confirmed);
            }
        }
        Ok(())
    }

    /// Whether the bootloader is up because nothing may start: then nothing in the secondary slot is worth keeping, and an
    /// update is the only way out. Flash that could not be read may be read at the next start, and then the slot is.
    fn starts_nothing(&self) -> bool {
        self.role
            .condition()
            .is_some_and(|condition| condition.starts_nothing() && condition != BootState::FlashFailed)
    }

    /// Whether images of a lower version than the primary slot's are refused: not where that one can't start.
    pub(super) fn refuses_older(&self) -> bool {
        self.board.policy.no_downgrade && !self.starts_nothing()
    }

    /// Records that the secondary slot no longer holds what a swap saved. What an earlier start wrote may read otherwise the
    /// next time; what this one wrote need not be written again, however often somebody begins an upload.
    pub(super) fn note_change(&mut self) {
        if let Some(log) = self.role.log()
            && (log.is_inherited() || log.state().saved)
        {
            log.push(Record::Saved(false));
        }
    }

    /// Confirms the running image, if it is on trial: only what runs can say that it runs well.
    pub(super) fn confirm<F: Flash>(&mut self, flash: &mut F) -> Result<(), FlashError> {
        if self.is_on_trial(flash) {
            confirm(flash)?;
            self.role.confirmed();
        }
        Ok(())
    }
}
