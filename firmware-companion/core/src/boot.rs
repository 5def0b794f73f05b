//! From reset to the decision what runs: continue a swap, read the trailers, verify, count attempts.
//!
//! [`Loader::step`] does at most one flash operation, so that a board can feed its watchdog and a test can cut the
//! power between any two. Signatures are checked by the caller ([`Progress::Verify`]), with nothing else on the stack.

mod decide;
#[cfg(feature = "golden")]
mod golden;
mod verdict;

use bootlace_smp::bootlace::{BootState, Reset, RollbackReason};

use crate::board::Board;
use crate::flash::{Area, Flash, FlashError};
use crate::install::copy::Copy;
use crate::install::swap::{copies, leftover, route};
use crate::layout::Layout;
use crate::slots::Check;
use crate::state::{Log, Record, SwapKind};
use crate::trailer::{Fields, TrailerWrite};

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
    Stay(BootState),
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
                return Progress::Done(Decision::Stay(BootState::FlashFailed));
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
                    None if self.entry.requested => Stage::Last(Decision::Stay(BootState::Requested)),
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
        let unit = Layout::of(flash).unit(flash);
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
