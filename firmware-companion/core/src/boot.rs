//! From reset to the decision what runs: continue a swap, read the trailers, verify, count attempts.
//!
//! [`Decider::step`] does at most one flash operation or one step of an image's check, so that a board can feed its
//! watchdog and a test can cut the power between any two.

mod decide;
#[cfg(feature = "golden")]
mod golden;
mod verdict;

use bootlace_image::Verification;
use bootlace_smp::bootlace::{BootState, Reset, RollbackReason};

use crate::board::Identity;
use crate::check::Check;
use crate::flash::{Area, Flash, FlashError};
use crate::install::copy::Copy;
use crate::install::swap::{copies, leftover, route};
use crate::layout::Layout;
use crate::state::{Log, Record, SwapKind};
use crate::trailer::{Fields, TrailerWrite};

/// What the chip knows when it starts.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// Why it started.
    pub reset: Reset,
    /// Somebody asked for the bootloader before the reset: SMP reset with boot_mode 1. It may not stay for ever, see
    /// [`Policy::idle_return`](crate::board::Policy::idle_return).
    pub requested: bool,
    /// Somebody holds the pin that asks for the bootloader: it stays.
    pub held: bool,
    /// Why the application that ran last gave itself up: app-kit leaves word in RAM that survives the reset.
    pub gave_up: Option<RollbackReason>,
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Run the image whose vector table the processor sees at this address.
    Boot {
        /// Address of the vector table: slot plus header.
        vectors: u32,
        /// It must confirm itself.
        trial: bool,
    },
    /// Serve SMP, for this reason.
    Stay(BootState),
}

#[derive(Clone, Copy, Debug)]
enum BootStage {
    Start,
    /// Carry on with the swap that the log names.
    Swap,
    Copying(Copy, u16),
    /// What the incoming image left behind in the secondary slot is erased, a part of a unit at a time.
    Leftover {
        at: u32,
        end: u32,
    },
    /// A trailer is written, for what comes after it.
    Trailer(TrailerWrite, After),
    Decide,
    /// A check of the outgoing image, confirmed just now, is under way.
    Outgoing(SwapKind),
    /// A check of the incoming image is under way.
    Incoming(SwapKind),
    Primary,
    /// A check of the golden image is under way, because this one could not run, for this reason.
    #[cfg(feature = "golden")]
    Golden(BootState, RollbackReason),
    /// Units of the golden image that are in the primary slot.
    #[cfg(feature = "golden")]
    Restore(u32),
    #[cfg(feature = "golden")]
    Restoring(Copy, u32),
    Last(Decision),
}

#[derive(Clone, Copy, Debug)]
enum After {
    /// The primary slot's trailer says that the swap is complete: the request in the secondary slot's is taken back.
    Swap,
    /// Both trailers are as they are after a swap.
    SwapEnd,
    /// The request was refused and taken back.
    Dismissed,
    /// The primary slot's old trailer went last: an image on trial must not pass for confirmed by a half-erased one.
    #[cfg(feature = "golden")]
    Restored,
}

/// The boot decision under way.
#[derive(Debug)]
pub struct Decider<'a> {
    board: &'a Identity<'a>,
    start: Start,
    /// No copy of this run is complete yet, so the next one's target may be half-written.
    suspect: bool,
    trial: bool,
    /// This start of an image on trial is counted.
    counted: bool,
    /// The golden image was put in the primary slot in this start: once is enough.
    #[cfg(feature = "golden")]
    restored: bool,
    failures: u8,
    /// The last check found nothing that could be read; perhaps only that once.
    again: bool,
    stage: BootStage,
    /// The check of the image that the stage is about, under way.
    check: Check<Verification>,
    log: Log,
    /// The verdict comes from outside: no check was done.
    #[cfg(feature = "known-verdicts")]
    answered: bool,
}

/// Flash that fails this often in one start is not going to mend.
const MAX_FAILURES: u8 = 8;

impl<'a> Decider<'a> {
    /// Reads the state area; writes nothing yet.
    pub fn new<F: Flash>(flash: &mut F, board: &'a Identity<'a>, start: Start) -> Self {
        let log = Log::mount(flash);
        Decider {
            board,
            start,
            log,
            stage: BootStage::Start,
            suspect: true,
            trial: false,
            counted: false,
            #[cfg(feature = "golden")]
            restored: false,
            failures: 0,
            again: false,
            check: Check::new(),
            #[cfg(feature = "known-verdicts")]
            answered: false,
        }
    }

    /// The records, for the server that may follow.
    pub fn into_log(self) -> Log {
        self.log
    }

    /// The records so far.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Copies done and in all, while a swap is under way.
    pub fn swap_progress(&self) -> Option<(u16, u16)> {
        self.log.state().swap.map(|swap| (swap.done, copies(&swap.plan)))
    }

    /// Does at most one flash operation or one step of an image's check; returns the decision at the end.
    // Its frame must not become part of the caller's, which serves as well.
    #[inline(never)]
    pub fn step<F: Flash>(&mut self, flash: &mut F) -> Option<Decision> {
        // Nothing may be done that relies on a record before the record is in flash.
        let recording = self.log.busy();
        let stepped = if recording {
            self.log.step(flash).map(|()| None)
        } else {
            self.advance(flash)
        };
        stepped.unwrap_or_else(|_| {
            self.failures += 1;
            if self.failures >= MAX_FAILURES {
                return Some(Decision::Stay(BootState::FlashFailed));
            }
            if !recording {
                // Whatever was being written is suspect now, and every stage may be begun again.
                self.suspect = true;
                self.stage = BootStage::Start;
                self.check.end();
            }
            None
        })
    }

    fn advance<F: Flash>(&mut self, flash: &mut F) -> Result<Option<Decision>, FlashError> {
        match &mut self.stage {
            BootStage::Start => {
                self.stage = match self.log.state().swap {
                    // Nobody can say what may run here: not even a swap goes on, because what comes of it is not known.
                    _ if self.board.keys.is_empty() => BootStage::Last(Decision::Stay(BootState::NoKey)),
                    Some(_) => BootStage::Swap,
                    None if self.start.requested || self.start.held => {
                        BootStage::Last(Decision::Stay(BootState::Requested))
                    }
                    None => BootStage::Decide,
                };
            }
            BootStage::Swap => self.next_copy(flash),
            BootStage::Copying(copy, number) => {
                if copy.step(flash)? {
                    self.suspect = false;
                    let done = *number + 1;
                    self.log.push(Record::SwapMark(done));
                    self.stage = BootStage::Swap;
                }
            }
            BootStage::Leftover { at, end } => {
                let (at, end) = (*at, *end);
                if at < end {
                    flash.erase(Area::Secondary, at)?;
                    let at = at + flash.geometry(Area::Secondary).erase;
                    self.stage = BootStage::Leftover { at, end };
                } else {
                    self.finish();
                }
            }
            BootStage::Trailer(write, after) => {
                if write.step(flash)? {
                    self.stage = match after {
                        After::Swap => {
                            BootStage::Trailer(TrailerWrite::clear(Area::Secondary), After::SwapEnd)
                        }
                        After::SwapEnd => {
                            self.log.push(Record::SwapEnd);
                            BootStage::Start
                        }
                        After::Dismissed => BootStage::Decide,
                        #[cfg(feature = "golden")]
                        After::Restored => {
                            self.restored = true;
                            self.log.push(Record::Confirmed);
                            BootStage::Primary
                        }
                    };
                }
            }
            BootStage::Decide => self.decide(flash),
            BootStage::Incoming(_) => self.check(flash, Area::Secondary),
            BootStage::Primary | BootStage::Outgoing(_) => self.check(flash, Area::Primary),
            #[cfg(feature = "golden")]
            BootStage::Golden(..) => self.check(flash, Area::Golden),
            #[cfg(feature = "golden")]
            BootStage::Restore(done) => {
                let done = *done;
                self.next_unit(flash, done);
            }
            #[cfg(feature = "golden")]
            BootStage::Restoring(copy, done) => {
                if copy.step(flash)? {
                    self.stage = BootStage::Restore(*done + 1);
                }
            }
            BootStage::Last(decision) => return Ok(Some(*decision)),
        }
        Ok(None)
    }

    /// Does a step of the check of the image in `area`, and acts on the verdict after the last one.
    fn check<F: Flash>(&mut self, flash: &mut F, area: Area) {
        if !self.check.is_begun() {
            self.check.begin(area, self.log.state().counter);
        }
        if let Some(verdict) = self.check.step(flash, self.board) {
            self.verified(flash, verdict);
        }
    }

    /// Which image is about to be checked (see [`Check::question`]): a test that starts a board millions of times knows
    /// the verdict on the same bytes already.
    #[cfg(feature = "known-verdicts")]
    pub fn question(&self) -> Option<(Area, u32)> {
        let area = match self.stage {
            _ if self.check.is_begun() || self.log.busy() => return None,
            BootStage::Incoming(_) => Area::Secondary,
            BootStage::Primary | BootStage::Outgoing(_) => Area::Primary,
            #[cfg(feature = "golden")]
            BootStage::Golden(..) => Area::Golden,
            _ => return None,
        };
        Some((area, self.log.state().counter))
    }

    /// 0 where the image's signature is good: see [`Check::residue`].
    fn residue(&self) -> u32 {
        #[cfg(feature = "known-verdicts")]
        if self.answered {
            return 0;
        }
        self.check.residue()
    }

    /// Takes the verdict on the [`Decider::question`] instead of finding it out.
    #[cfg(feature = "known-verdicts")]
    pub fn answer<F: Flash>(
        &mut self,
        flash: &mut F,
        verdict: Result<crate::slots::Found, crate::slots::Reject>,
    ) {
        self.answered = true;
        self.verified(flash, verdict);
        self.answered = false;
    }

    fn next_copy<F: Flash>(&mut self, flash: &mut F) {
        let Some(swap) = self.log.state().swap else {
            self.stage = BootStage::Start;
            return;
        };
        let unit = Layout::of(flash).unit(flash);
        let (mut number, all) = (swap.done, copies(&swap.plan));
        while number < all {
            if let Some(route) = route(&swap.plan, number, unit) {
                self.stage = BootStage::Copying(Copy::new(route, unit, self.suspect), number);
                return;
            }
            number += 1;
        }
        self.stage = match leftover(&swap.plan, unit) {
            Some(at) => BootStage::Leftover { at, end: at + unit },
            None => BootStage::Leftover { at: 0, end: 0 },
        };
    }

    /// All is copied: the trailers say so.
    fn finish(&mut self) {
        let kind = self
            .log
            .state()
            .swap
            .map_or(SwapKind::Test, |swap| swap.plan.kind);
        let fields = Fields {
            swap: kind.into(),
            copy_done: true,
            image_ok: kind != SwapKind::Test,
        };
        self.stage = BootStage::Trailer(TrailerWrite::new(Area::Primary, fields), After::Swap);
    }
}
