//! From reset to the decision what runs: continue a swap, read the trailers, verify, count attempts.
//!
//! [`Loader::step`] does at most one flash operation, so that a board can feed its watchdog and a test can cut the
//! power between any two. Signatures are checked by the caller ([`Progress::Verify`]), with nothing else on the stack.

#[cfg(feature = "golden")]
mod golden;

use bootlace_image::Version;
use bootlace_image::trailer::{Mark, SwapType, Trailer};
use bootlace_smp::bootlace::{Outcome, Reset, RollbackReason, State as Condition, Update};

use crate::board::Board;
use crate::flash::{Area, Flash, FlashError};
use crate::slots::{Check, Found, Reject, find};
use crate::state::{Log, Record, SwapKind, SwapPlan, release};
use crate::swap::{Copy, copies, leftover, max_image_size, route, unit_size};
use crate::trailer::{Fields, TrailerWrite, Trailers};

/// What the chip knows when it starts.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Why it started.
    pub reset: Reset,
    /// Somebody wants the bootloader: SMP reset with boot_mode 1, a held pin.
    pub requested: bool,
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
    Stay(Condition),
}

/// What a step came to.
#[derive(Clone, Copy, Debug)]
pub enum Progress {
    /// More steps are needed.
    Working,
    /// Run the check, then hand its verdict to [`Loader::verified`].
    Verify(Check),
    /// Decided.
    Done(Decision),
}

#[derive(Clone, Copy, Debug)]
enum Stage {
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
    Golden(Condition, RollbackReason),
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
// In this order: see `Link`.
#[repr(C)]
pub struct Loader<'a> {
    board: &'a Board<'a>,
    entry: Entry,
    /// No copy of this run is complete yet, so the next one's target may be half-written.
    suspect: bool,
    trial: bool,
    /// The golden image was put in the primary slot in this start: once is enough.
    #[cfg(feature = "golden")]
    restored: bool,
    failures: u8,
    /// The last check found nothing that could be read; perhaps only that once.
    again: bool,
    stage: Stage,
    log: Log,
}

/// Starts of an image on trial are counted up to here.
const MOST_STARTS: u8 = u8::MAX - 1;

/// Flash that fails this often in one start is not going to mend.
const MAX_FAILURES: u8 = 8;

impl<'a> Loader<'a> {
    /// Reads the state area; writes nothing yet.
    pub fn new<F: Flash>(flash: &mut F, board: &'a Board<'a>, entry: Entry) -> Self {
        let log = Log::mount(flash);
        Loader {
            board,
            entry,
            log,
            stage: Stage::Start,
            suspect: true,
            trial: false,
            #[cfg(feature = "golden")]
            restored: false,
            failures: 0,
            again: false,
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

    /// Does at most one flash operation.
    pub fn step<F: Flash>(&mut self, flash: &mut F) -> Progress {
        // Nothing may be done that relies on a record before the record is in flash.
        let recording = self.log.busy();
        let stepped = if recording {
            self.log.step(flash).map(|()| Progress::Working)
        } else {
            self.advance(flash)
        };
        stepped.unwrap_or_else(|_| {
            self.failures += 1;
            if self.failures >= MAX_FAILURES {
                return Progress::Done(Decision::Stay(Condition::FlashFailed));
            }
            if !recording {
                // Whatever was being written is suspect now, and every stage may be begun again.
                self.suspect = true;
                self.stage = Stage::Start;
            }
            Progress::Working
        })
    }

    #[inline(never)]
    fn advance<F: Flash>(&mut self, flash: &mut F) -> Result<Progress, FlashError> {
        match &mut self.stage {
            Stage::Start => {
                self.stage = match self.log.state().swap {
                    Some(_) => Stage::Swap,
                    None if self.entry.requested => Stage::Last(Decision::Stay(Condition::Requested)),
                    None => Stage::Decide,
                };
            }
            Stage::Swap => self.next_copy(flash),
            Stage::Copying(copy, number) => {
                if copy.step(flash)? {
                    self.suspect = false;
                    let done = *number + 1;
                    self.log.push(Record::SwapMark(done));
                    self.stage = Stage::Swap;
                }
            }
            Stage::Leftover { at, end } => {
                let (at, end) = (*at, *end);
                if at < end {
                    flash.erase(Area::Secondary, at)?;
                    let at = at + flash.geometry(Area::Secondary).erase;
                    self.stage = Stage::Leftover { at, end };
                } else {
                    self.finish();
                }
            }
            Stage::Trailer(write, after) => {
                if write.step(flash)? {
                    self.stage = match after {
                        After::Swap => Stage::Trailer(TrailerWrite::clear(Area::Secondary), After::SwapEnd),
                        After::SwapEnd => {
                            self.log.push(Record::SwapEnd);
                            Stage::Start
                        }
                        After::Dismissed => Stage::Decide,
                        #[cfg(feature = "golden")]
                        After::Restored => {
                            self.restored = true;
                            self.log.push(Record::Confirmed);
                            Stage::Primary
                        }
                    };
                }
            }
            Stage::Decide => return Ok(self.decide(flash)),
            Stage::Incoming(_) => return Ok(Progress::Verify(self.check(Area::Secondary))),
            Stage::Primary | Stage::Outgoing(_) => return Ok(Progress::Verify(self.check(Area::Primary))),
            #[cfg(feature = "golden")]
            Stage::Golden(..) => return Ok(Progress::Verify(self.check(Area::Golden))),
            #[cfg(feature = "golden")]
            Stage::Restore(done) => {
                let done = *done;
                self.next_unit(flash, done);
            }
            #[cfg(feature = "golden")]
            Stage::Restoring(copy, done) => {
                if copy.step(flash)? {
                    self.stage = Stage::Restore(*done + 1);
                }
            }
            Stage::Last(decision) => return Ok(Progress::Done(*decision)),
        }
        Ok(Progress::Working)
    }

    fn check(&self, area: Area) -> Check {
        let state = self.log.state();
        Check {
            area,
            counter: state.counter,
            signature: true,
        }
    }

    fn next_copy<F: Flash>(&mut self, flash: &mut F) {
        let Some(swap) = self.log.state().swap else {
            self.stage = Stage::Start;
            return;
        };
        let unit = unit_size(flash);
        let (mut number, all) = (swap.done, copies(&swap.plan));
        while number < all {
            if let Some(route) = route(&swap.plan, number, unit) {
                self.stage = Stage::Copying(Copy::new(route, unit, self.suspect), number);
                return;
            }
            number += 1;
        }
        self.stage = match leftover(&swap.plan, unit) {
            Some(at) => Stage::Leftover { at, end: at + unit },
            None => Stage::Leftover { at: 0, end: 0 },
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
        self.stage = Stage::Trailer(TrailerWrite::new(Area::Primary, fields), After::Swap);
    }

    /// MCUboot's decision table, read from both trailers.
    #[inline(never)]
    fn decide<F: Flash>(&mut self, flash: &mut F) -> Progress {
        let trailers = Trailers::read(flash);
        self.trial = false;
        match trailers.decision() {
            SwapType::Test => self.decide_leaving(flash, SwapKind::Test, &trailers.primary),
            SwapType::Permanent => self.decide_leaving(flash, SwapKind::Permanent, &trailers.primary),
            decision => self.stage = self.decide_running(decision, &trailers.primary),
        }
        Progress::Working
    }

    /// A new image was asked for. What ran may have been confirmed since its last start, or the power went before the
    /// counter followed it: the records hear of that first, because the new image is checked against them.
    fn decide_leaving<F: Flash>(&mut self, flash: &mut F, kind: SwapKind, primary: &Trailer) {
        let state = self.log.state();
        let runs = find_twice(flash, Area::Primary);
        // Read again: this decides about the counter.
        let confirmed =
            state.trial.is_none() || is_confirmed(primary) || is_confirmed(&Trailers::read(flash).primary);
        let raises = runs.is_some_and(|found| counter(&found) > state.counter);
        self.stage = if confirmed && (raises || state.trial.is_some()) {
            Stage::Outgoing(kind)
        } else {
            Stage::Incoming(kind)
        };
    }

    /// Nothing new was asked for: run what is there, or go back.
    fn decide_running(&mut self, decision: SwapType, primary: &Trailer) -> Stage {
        let state = self.log.state();
        let (saved, recorded) = (state.saved, state.recorded);
        #[cfg(feature = "golden")]
        if state.trial == Some(golden::RESTORING) {
            return self.last_resort(Condition::NothingToRevertTo, self.why_reverted());
        }
        let used = match (decision, state.trial) {
            (SwapType::Revert, Some(used)) => used,
            // A torn confirmation that read as set once: what the records call confirmed stays.
            (SwapType::Revert, None) if recorded => return Stage::Primary,
            // A trial that no record knows was started by another bootloader.
            (SwapType::Revert, None) => u8::MAX,
            (_, None) => return Stage::Primary,
            (_, Some(used)) => {
                if is_confirmed(primary) {
                    self.log.push(Record::Confirmed);
                    return Stage::Primary;
                }
                // A trailer that tells nothing confirms nothing.
                used
            }
        };
        self.trial = true;
        let spent = used >= self.board.policy.attempts.max(1) || self.entry.gave_up.is_some();
        if !spent {
            Stage::Primary
        } else if saved || !recorded {
            Stage::Incoming(SwapKind::Revert)
        } else {
            // What the secondary slot holds, if anything, never ran here.
            self.last_resort(Condition::NothingToRevertTo, self.why_reverted())
        }
    }

    /// No image can run: the golden one, if there is one.
    fn last_resort(&self, condition: Condition, reason: RollbackReason) -> Stage {
        #[cfg(feature = "golden")]
        if !self.restored {
            return Stage::Golden(condition, reason);
        }
        let _ = reason;
        Stage::Last(Decision::Stay(condition))
    }

    /// Takes the verdict on the image that the last [`Progress::Verify`] asked about.
    pub fn verified<F: Flash>(&mut self, flash: &mut F, verdict: Result<Found, Reject>) {
        // What could not be read may be read the next time; nothing is given up for a single failure.
        self.again = !self.again && matches!(verdict, Err(Reject::Empty | Reject::Unreadable));
        if self.again {
            return;
        }
        match (self.stage, &verdict) {
            (Stage::Incoming(kind), _) => self.incoming(flash, kind, &verdict),
            (Stage::Outgoing(kind), _) => {
                if let Ok(found) = &verdict {
                    self.raise_counter(found);
                }
                if self.log.state().trial.is_some() {
                    self.log.push(Record::Confirmed);
                }
                self.stage = Stage::Incoming(kind);
            }
            (Stage::Primary, Ok(found)) => self.settle(flash, found),
            (Stage::Primary, Err(_)) if self.trial && self.log.state().saved => {
                // What the swap brought cannot run: go back at once.
                self.stage = Stage::Incoming(SwapKind::Revert);
            }
            (Stage::Primary, Err(reject)) => {
                self.stage = self.last_resort((*reject).into(), (*reject).into());
            }
            #[cfg(feature = "golden")]
            (Stage::Golden(condition, reason), verdict) => {
                self.stage = match verdict {
                    Ok(golden) => self.begin_restore(flash, golden, reason),
                    Err(Reject::Empty) => Stage::Last(Decision::Stay(condition)),
                    Err(Reject::TooOld) => Stage::Last(Decision::Stay(Condition::GoldenTooOld)),
                    Err(_) => Stage::Last(Decision::Stay(Condition::GoldenBad)),
                };
            }
            _ => {}
        }
    }

    #[inline(never)]
    fn incoming<F: Flash>(&mut self, flash: &mut F, kind: SwapKind, verdict: &Result<Found, Reject>) {
        let primary = find_twice(flash, Area::Primary);
        let outgoing = primary.map_or(0, |found| found.units(flash));
        let fits = primary.is_none_or(|found| found.image.total_len() <= max_image_size(flash));
        let verdict = match verdict {
            Ok(found) if fits => Ok(found),
            Err(reject) if fits => Err(*reject),
            _ => Err(Reject::TooLarge),
        };
        match verdict {
            Ok(found) => {
                if kind == SwapKind::Revert {
                    self.log
                        .push(Record::Rollback(self.why_reverted(), version(primary.as_ref())));
                } else {
                    let (to, reason) = (Some(found), RollbackReason::NotConfirmed);
                    let update = self.update(primary.as_ref(), to, Outcome::Trial, reason);
                    self.log.push(update);
                }
                self.log.push(Record::SwapStart(SwapPlan {
                    kind,
                    incoming: found.units(flash),
                    outgoing,
                    shifted: found.base != 0,
                }));
                self.stage = Stage::Start;
            }
            Err(_) if kind == SwapKind::Revert => {
                self.stage = self.last_resort(Condition::NothingToRevertTo, self.why_reverted());
            }
            Err(reject) => {
                let refused = find(flash, Area::Secondary);
                self.log.push(self.update(
                    primary.as_ref(),
                    refused.as_ref(),
                    Outcome::Refused,
                    reject.into(),
                ));
                self.log
                    .push(Record::Rollback(reject.into(), version(refused.as_ref())));
                self.stage = Stage::Trailer(TrailerWrite::clear(Area::Secondary), After::Dismissed);
            }
        }
    }

    /// An entry of the journal.
    fn update(
        &self,
        from: Option<&Found>,
        to: Option<&Found>,
        outcome: Outcome,
        reason: RollbackReason,
    ) -> Record {
        Record::Update(Update {
            from: release(version(from)),
            to: release(version(to)),
            start: self.log.start(),
            outcome,
            reason,
        })
    }

    fn why_reverted(&self) -> RollbackReason {
        if let Some(reason) = self.entry.gave_up {
            return reason;
        }
        match self.entry.reset {
            Reset::Watchdog => RollbackReason::Watchdog,
            Reset::Fault => RollbackReason::Fault,
            _ => RollbackReason::NotConfirmed,
        }
    }

    /// Only a confirmed image raises the counter: before that, its predecessor must still be able to run.
    fn raise_counter(&mut self, found: &Found) {
        if counter(found) > self.log.state().counter {
            self.log.push(Record::Counter(counter(found)));
        }
    }

    /// The image in the primary slot may run: count its start, or let the counter follow it.
    fn settle<F: Flash>(&mut self, flash: &F, found: &Found) {
        let state = self.log.state();
        if self.trial {
            self.log.push(Record::Trial(
                state.trial.unwrap_or(0).saturating_add(1).min(MOST_STARTS),
            ));
        } else {
            self.raise_counter(found);
        }
        let vectors = flash.geometry(Area::Primary).address + u32::from(found.image.header().header_size);
        self.stage = Stage::Last(Decision::Boot {
            vectors,
            trial: self.trial,
        });
    }
}

/// The trailer of an image that was swapped in, and that has confirmed itself; one torn while it did so counts.
fn is_confirmed(primary: &Trailer) -> bool {
    primary.magic == Mark::Set && primary.copy_done == Mark::Set && primary.image_ok != Mark::Unset
}

fn counter(found: &Found) -> u32 {
    found.image.security_counter().unwrap_or(0)
}

/// The image in a slot. A read that fails only once must not make it seem that there is none.
#[inline(never)]
fn find_twice<F: Flash>(flash: &mut F, area: Area) -> Option<Found> {
    find(flash, area).or_else(|| find(flash, area))
}

fn version(found: Option<&Found>) -> Version {
    found.map_or(
        Version {
            major: 0,
            minor: 0,
            revision: 0,
            build: 0,
        },
        |found| found.image.header().version,
    )
}

/// Runs the loader to its decision. `between` is called after every step, to feed a watchdog or stop a test.
pub fn run<F: Flash>(
    flash: &mut F,
    board: &Board,
    loader: &mut Loader,
    mut between: impl FnMut(),
) -> Decision {
    loop {
        match loader.step(flash) {
            Progress::Working => {}
            Progress::Verify(check) => {
                let verdict = check.run(flash, board);
                loader.verified(flash, verdict);
            }
            Progress::Done(decision) => return decision,
        }
        between();
    }
}
