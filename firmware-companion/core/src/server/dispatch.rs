//! One request after the other: what is under way, and what is next.

use bootlace_smp::bootlace::{BootState, Reset, Supply};
use bootlace_smp::img::{ErrorCode as ImageError, Response as Answer};
use bootlace_smp::{Encoder, ErrorCode, Fault, Header, os};

use super::answer::Asker;
use super::keeper::Keeper;
use super::marking::{self, Marking, Wanted};
use super::request::{Action, understand};
use super::role::Runner;
use super::upload::{self, fault};
use super::{describe, images};
use crate::applier::Applier;
use crate::board::Identity;
use crate::check::Check;
use crate::flash::{Area, Flash, FlashError};
use crate::intake::{self, Intake, Kind, Received};
use crate::slots::{Found, Reject};
use crate::state::State;
use crate::trailer::TrailerWrite;
use crate::wire::Wire;

/// What a step came to.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// Nothing to do until bytes arrive or leave.
    Idle,
    /// More can be done at once.
    Working,
    /// Restart the chip, once the answer has left.
    Reset {
        /// Into the bootloader, to stay there.
        bootloader: bool,
    },
}

/// What is under way: one thing at a time.
#[derive(Clone, Copy, Debug)]
enum Job {
    None,
    /// A piece is being taken in; its packet is not released before its end.
    Receiving,
    /// A piece is dealt with, and its answer waits for the one before to leave.
    Answering(Result<Received, Fault>),
    /// The secondary slot is being erased.
    Erasing,
    /// The image in the secondary slot is being checked before it is marked.
    Checking(Marking),
    /// The secondary slot's trailer is being written.
    Marking(TrailerWrite),
    /// The digest of the image in the secondary slot is being proved, before the image is listed.
    Proving,
    Reset {
        bootloader: bool,
    },
}

/// The server.
// In this order: small parts are reached by short instructions only where they come first.
#[derive(Debug)]
#[repr(C)]
pub struct Server<'a, R: Runner> {
    job: Job,
    /// Whether the image in the secondary slot has the digest that it carries; `None` until that is found out.
    is_proved: Option<bool>,
    /// Who asked for what is under way.
    asker: Asker,
    /// What was asked for last: the piece that is being received, if one is.
    action: Action,
    keeper: Keeper<'a, R>,
    intake: Intake,
    /// The check of the uploaded image, under way.
    check: Check<R::Proof>,
}

impl<'a, R: Runner> Server<'a, R> {
    /// `reset` is why the chip last started.
    #[inline(never)]
    pub fn new(board: &'a Identity<'a>, role: R, reset: Reset) -> Self {
        Server {
            keeper: Keeper::new(board, role, reset),
            intake: Intake::new(),
            asker: Asker::NOBODY,
            action: Action::Params,
            job: Job::None,
            check: Check::new(),
            is_proved: None,
        }
    }

    /// What the board's supply is now. Below its limit no update begins, and nothing is marked or erased; one that has
    /// begun goes on, because a power cut costs it only time. A board that never says is never refused.
    pub fn measured(&mut self, supply: Supply) {
        self.keeper.supply = Some(supply);
    }

    /// Whether somebody is present now: for requests that need it.
    pub fn presence(&mut self, is_present: bool) {
        self.keeper.is_present = is_present;
    }

    /// What the records say.
    pub fn state(&self) -> &State {
        self.keeper.state()
    }

    /// Why a bootloader did not start an image; `None` in an application.
    pub fn condition(&self) -> Option<BootState> {
        self.keeper.role.condition()
    }

    /// How often an image on trial may still be started before it is given up.
    pub fn attempts_left(&self) -> u8 {
        self.keeper.attempts_left()
    }

    /// Confirms the running image, if it is on trial: only what runs can say that it runs well.
    ///
    /// # Errors
    /// The flash's own; the image is still on trial then.
    pub fn confirm<F: Flash>(&mut self, flash: &mut F) -> Result<(), FlashError> {
        self.keeper.confirm(flash)
    }

    /// Whether an image is being checked. The memory that patches are applied in is not used meanwhile.
    pub fn is_checking(&self) -> bool {
        matches!(self.job, Job::Checking(_))
    }

    /// Answers packets and does at most one flash operation, or one step of an image's check.
    ///
    /// With `patches`, patches are taken. That memory may be used for something else while [`Server::is_checking`]; what it
    /// holds afterwards must be [`Applier::new`](crate::applier::Applier): a patch that was being received is then sent again from
    /// its start, and what was written is not written again.
    // Its frame must not become part of the caller's, which may hold the applier.
    #[inline(never)]
    pub fn step<F: Flash, W: Wire>(
        &mut self,
        wire: &mut W,
        flash: &mut F,
        patches: Option<&mut Applier>,
    ) -> Step {
        if self.keeper.write_records(flash) {
            return Step::Working;
        }
        match &mut self.job {
            Job::None => return self.next_packet(wire, flash, patches),
            Job::Receiving => self.receive(wire, flash, patches),
            Job::Reset { bootloader } => {
                return Step::Reset {
                    bootloader: *bootloader,
                };
            }
            // Everything else ends in an answer, and the last one is still on its way.
            _ if wire.is_sending() => return Step::Idle,
            Job::Erasing | Job::Checking(_) | Job::Marking(_) | Job::Proving if wire.packet().is_some() => {
                self.interrupt(wire);
            }
            Job::Answering(end) => {
                wire.release();
                match *end {
                    Ok(received) => {
                        let kind = match &self.action {
                            Action::Piece(piece) => piece.kind,
                            _ => Kind::Image,
                        };
                        self.answer(wire, |message| upload::answer(kind, received, message));
                    }
                    Err(fault) => self.refuse(wire, fault),
                }
            }
            Job::Erasing => match self.intake.step_erase(flash) {
                Ok(false) => {}
                Ok(true) => self.answer(wire, |message| Answer::Erase.encode(message)),
                Err(refused) => self.refuse(wire, fault(refused)),
            },
            Job::Checking(marking) => {
                let marking = *marking;
                if let Some(verdict) = self.check.step(flash, self.keeper.board) {
                    self.mark(wire, flash, marking, verdict);
                }
            }
            Job::Marking(write) => match write.step(flash) {
                Ok(false) => {}
                Ok(true) => self.job = self.prove(),
                Err(_) => self.refuse(wire, ImageError::FlashWriteFailed.into()),
            },
            Job::Proving => {
                self.is_proved = self.is_proved.or_else(|| self.check.step_digest(flash));
                if let Some(is_proved) = self.is_proved {
                    self.job = Job::None;
                    images::list(flash, wire, (&self.keeper, is_proved), &self.asker);
                }
            }
        }
        Step::Working
    }

    /// Which image is about to be checked: see [`Decider::question`](crate::boot::Decider::question).
    #[cfg(feature = "known-verdicts")]
    pub fn question(&self) -> Option<(Area, u32)> {
        let question = self.check.question();
        question.filter(|_| self.is_checking())
    }

    /// Takes the verdict on the [`Server::question`] instead of finding it out.
    #[cfg(feature = "known-verdicts")]
    pub fn answer_check<F: Flash, W: Wire>(
        &mut self,
        wire: &mut W,
        flash: &mut F,
        verdict: Result<Found, Reject>,
    ) {
        self.check.end();
        if let Job::Checking(marking) = self.job {
            self.mark(wire, flash, marking, verdict);
        }
    }

    /// Answers the oldest packet, or begins to do what it asks for.
    #[inline(never)]
    fn next_packet<F: Flash, W: Wire>(
        &mut self,
        wire: &mut W,
        flash: &mut F,
        patches: Option<&mut Applier>,
    ) -> Step {
        let Some((packet, sender)) = wire.packet() else {
            return Step::Idle;
        };
        if !understand(packet, &mut self.asker.header, &mut self.action) {
            wire.release();
            return Step::Working;
        }
        self.asker.sender = sender;
        if let Some((fault, reason)) = self.keeper.denies(self.action.kinds(), sender.origin) {
            if wire.is_sending() {
                return Step::Idle;
            }
            wire.release();
            self.asker.refuse_because(wire, fault, Some(reason));
            return Step::Working;
        }
        if let Action::Piece(piece) = &self.action {
            let parts = (&mut self.keeper, &mut self.intake);
            self.job = match piece.begin(packet, flash, parts, patches) {
                Ok(()) => Job::Receiving,
                // An error that is swallowed makes clients loop: it waits for the line, if need be.
                Err(fault) => Job::Answering(Err(fault)),
            };
            return Step::Working;
        }
        if wire.is_sending() {
            return Step::Idle;
        }
        if let Action::Echo(text) = self.action {
            self.asker.echo(wire, text);
        }
        wire.release();
        if let Err(fault) = self.act(wire, flash, patches.is_some()) {
            self.refuse(wire, fault);
        }
        Step::Working
    }

    /// Answers the oldest packet while something long is under way: the board is busy, not deaf. What is under way may be
    /// asked for again, by a client that waits no longer: it is done once and answered once.
    fn interrupt<W: Wire>(&self, wire: &mut W) {
        let Some((packet, sender)) = wire.packet() else {
            return;
        };
        let header = Header::split(packet).map(|(header, _)| header);
        wire.release();
        if let Ok(header) = header
            && header.op.is_request()
        {
            let asker = Asker { header, sender };
            if !asker.is_again(&self.asker) {
                asker.refuse(wire, ErrorCode::Busy.into());
            }
        }
    }

    /// Does what a request asks for, or begins to.
    fn act<F: Flash, W: Wire>(
        &mut self,
        wire: &mut W,
        flash: &mut F,
        takes_patches: bool,
    ) -> Result<(), Fault> {
        let job = match self.action {
            // Answered from their packets.
            Action::Piece(_) | Action::Echo(_) => return Ok(()),
            Action::List => self.prove(),
            Action::SetState { hash, confirm } => {
                match marking::begin(flash, &mut self.keeper, hash, confirm)? {
                    Wanted::Listed => self.prove(),
                    Wanted::Check(marking) => {
                        let counter = self.keeper.counter(flash);
                        self.check.begin(Area::Secondary, counter);
                        Job::Checking(marking)
                    }
                }
            }
            Action::Erase { slot } => {
                if slot != 1 {
                    return Err(ImageError::InvalidSlot.into());
                }
                self.keeper.may_change(flash)?;
                self.keeper.note_change();
                self.is_proved = None;
                self.intake.begin_erase();
                Job::Erasing
            }
            Action::Reset { bootloader } => {
                self.asker
                    .answer(wire, |message| os::Response::Reset.encode(message));
                Job::Reset { bootloader }
            }
            Action::Refuse(code) => return Err(code.into()),
            _ => {
                self.tell(wire, flash, takes_patches);
                return Ok(());
            }
        };
        self.job = job;
        Ok(())
    }

    /// Begins to prove the digest of the image in the secondary slot, and then to list both slots.
    fn prove(&mut self) -> Job {
        self.check.begin(Area::Secondary, 0);
        Job::Proving
    }

    /// Answers what can be answered at once.
    fn tell<F: Flash, W: Wire>(&self, wire: &mut W, flash: &mut F, takes_patches: bool) {
        let (limits, asker) = (wire.limits(), &self.asker);
        let answer = match &self.action {
            Action::SlotInfo => return images::slot_info(flash, wire, asker),
            Action::Describe => {
                return describe::describe(flash, wire, (&self.keeper, limits, takes_patches), asker);
            }
            Action::Journal => return describe::journal(flash, wire, &self.keeper, asker),
            // Clients choose their procedure by this name, and the procedure is MCUboot's.
            Action::Bootloader => os::Response::Bootloader("MCUboot"),
            Action::Mode => os::Response::Mode {
                mode: os::MODE_SWAP,
                no_downgrade: self.keeper.board.policy.no_downgrade,
            },
            Action::Params => os::Response::Params {
                buf_size: limits.frame as u32,
                buf_count: limits.window as u32,
            },
            Action::Info(parts) => return describe::info(wire, self.keeper.board, *parts, asker),
            _ => return,
        };
        asker.answer(wire, |message| answer.encode(message));
    }

    /// Does a step for the piece whose packet is the oldest.
    fn receive<F: Flash, W: Wire>(&mut self, wire: &W, flash: &mut F, patches: Option<&mut Applier>) {
        self.is_proved = None;
        let Action::Piece(piece) = &self.action else {
            // It is one for as long as its packet is received.
            self.job = Job::None;
            return;
        };
        let packet = wire.packet().map_or(&[][..], |(packet, _)| packet);
        match self.intake.step(flash, &piece.piece(packet), patches) {
            intake::Step::Again => {}
            intake::Step::Replaces => self.keeper.note_change(),
            intake::Step::Done(received) => self.job = Job::Answering(Ok(received)),
            intake::Step::Refused(refused) => self.job = Job::Answering(Err(fault(refused))),
        }
    }

    /// The uploaded image was checked: it is marked, or refused.
    #[inline(never)]
    fn mark<F: Flash, W: Wire>(
        &mut self,
        wire: &mut W,
        flash: &mut F,
        marking: Marking,
        verdict: Result<Found, Reject>,
    ) {
        let is_fresh = self.intake.is_trailer_erased();
        match marking.checked(flash, &self.keeper, is_fresh, verdict) {
            Ok(write) => {
                self.intake.use_trailer();
                self.job = Job::Marking(write);
            }
            Err(fault) => {
                self.job = Job::None;
                let reason = marking::reason(flash, fault);
                self.asker.refuse_because(wire, fault, reason);
            }
        }
    }

    /// Ends what is under way with an answer.
    fn answer<W: Wire>(&mut self, wire: &mut W, encode: impl FnOnce(&mut Encoder)) {
        self.job = Job::None;
        self.asker.answer(wire, encode);
    }

    /// Ends what is under way with a refusal.
    fn refuse<W: Wire>(&mut self, wire: &mut W, fault: Fault) {
        self.job = Job::None;
        self.asker.refuse(wire, fault);
    }
}
