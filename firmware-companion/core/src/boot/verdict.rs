//! What becomes of a verdict on an image: it runs, it goes into the primary slot, or it is given up, and the records hear why.

use bootlace_image::Version;
use bootlace_smp::bootlace::{BootState, JournalEntry, JournalOutcome, Reset, RollbackReason};

use super::{After, BootStage, Decider, Decision};
use crate::flash::{Area, Flash};
use crate::layout::Layout;
use crate::slots::{Found, Reject, find};
use crate::state::{Record, SwapKind, SwapPlan, release};
use crate::trailer::TrailerWrite;

impl Decider<'_> {
    /// Takes the verdict on the image that the stage is about.
    pub(super) fn verified<F: Flash>(&mut self, flash: &mut F, verdict: Result<Found, Reject>) {
        // What could not be read may be read the next time; nothing is given up for a single failure.
        self.again = !self.again && matches!(verdict, Err(Reject::Empty | Reject::Unreadable));
        if self.again {
            return;
        }
        match (self.stage, &verdict) {
            (BootStage::Incoming(kind), _) => self.incoming(flash, kind, &verdict),
            (BootStage::Outgoing(kind), _) => {
                if let Ok(found) = &verdict {
                    self.raise_counter(found);
                }
                if self.log.state().trial.is_some() {
                    self.log.push(Record::Confirmed);
                }
                self.stage = BootStage::Incoming(kind);
            }
            (BootStage::Primary, Ok(found)) => self.settle(flash, found),
            (BootStage::Primary, Err(_)) if self.trial && self.log.state().saved => {
                // What the swap brought cannot run: go back at once.
                self.stage = BootStage::Incoming(SwapKind::Revert);
            }
            (BootStage::Primary, Err(reject)) => {
                self.stage = self.last_resort((*reject).into(), (*reject).into());
            }
            #[cfg(feature = "golden")]
            (BootStage::Golden(condition, reason), verdict) => {
                self.stage = match verdict {
                    Ok(golden) => self.begin_restore(flash, golden, reason),
                    Err(Reject::Empty) => BootStage::Last(Decision::Stay(condition)),
                    Err(Reject::TooOld) => BootStage::Last(Decision::Stay(BootState::GoldenTooOld)),
                    Err(_) => BootStage::Last(Decision::Stay(BootState::GoldenBad)),
                };
            }
            _ => {}
        }
    }

    fn incoming<F: Flash>(&mut self, flash: &mut F, kind: SwapKind, verdict: &Result<Found, Reject>) {
        let primary = find_twice(flash, Area::Primary);
        let outgoing = primary.map_or(0, |found| found.units(flash));
        let fits =
            primary.is_none_or(|found| found.image.total_len() <= Layout::of(flash).max_image_size(flash));
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
                    let update = self.update(primary.as_ref(), to, JournalOutcome::Trial, reason);
                    self.log.push(update);
                }
                self.log.push(Record::SwapStart(SwapPlan {
                    kind,
                    incoming: found.units(flash),
                    outgoing,
                    shifted: found.base != 0,
                }));
                self.stage = BootStage::Start;
            }
            Err(_) if kind == SwapKind::Revert => {
                self.stage = self.last_resort(BootState::NothingToRevertTo, self.why_reverted());
            }
            Err(reject) => {
                let refused = find(flash, Area::Secondary);
                self.log.push(self.update(
                    primary.as_ref(),
                    refused.as_ref(),
                    JournalOutcome::Refused,
                    reject.into(),
                ));
                self.log
                    .push(Record::Rollback(reject.into(), version(refused.as_ref())));
                self.stage = BootStage::Trailer(TrailerWrite::clear(Area::Secondary), After::Dismissed);
            }
        }
    }

    /// An entry of the journal.
    pub(super) fn update(
        &self,
        from: Option<&Found>,
        to: Option<&Found>,
        outcome: JournalOutcome,
        reason: RollbackReason,
    ) -> Record {
        Record::Update(JournalEntry {
            from: release(version(from)),
            to: release(version(to)),
            start: self.log.start(),
            outcome,
            reason,
        })
    }

    pub(super) fn why_reverted(&self) -> RollbackReason {
        if let Some(reason) = self.start.gave_up {
            return reason;
        }
        match self.start.reset {
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

    /// The image in the primary slot may run; the counter follows one that is confirmed.
    ///
    /// The verdict is not taken at its word: a processor may be made to skip the instruction that looks at it. The
    /// signature's residue is looked at as well, and the address of the vector table is nowhere else and not without it.
    fn settle<F: Flash>(&mut self, flash: &F, found: &Found) {
        let residue = self.residue();
        if residue != 0 {
            self.stage = BootStage::Last(Decision::Stay(BootState::BadImage));
            return;
        }
        if !self.trial {
            self.raise_counter(found);
        }
        let vectors = flash.geometry(Area::Primary).address + u32::from(found.image.header().header_size);
        // The compiler is not to know that the residue is 0 here.
        let vectors = vectors ^ core::hint::black_box(residue);
        self.stage = BootStage::Last(Decision::Boot {
            vectors,
            trial: self.trial,
        });
    }
}

pub(super) fn counter(found: &Found) -> u32 {
    found.image.security_counter().unwrap_or(0)
}

/// The image in a slot. A read that fails only once must not make it seem that there is none.
pub(super) fn find_twice<F: Flash>(flash: &mut F, area: Area) -> Option<Found> {
    find(flash, area).or_else(|| find(flash, area))
}

pub(super) fn version(found: Option<&Found>) -> Version {
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
