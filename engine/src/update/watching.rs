//! After the restart: is the new image there, does it run, is it confirmed, or was it taken back?
//!
//! The board is asked until it says so. It may be away for long (a swap, an application without a port), come back at
//! another port, or answer in its bootloader.

use alloc::boxed::Box;
use core::time::Duration;

use bootlace_smp::Response;
use bootlace_smp::bootlace::{BootState, Role, Trial};

use super::order::{Order, confirm_request};
use crate::context::Context;
use crate::line::{Call, Late, Packet};
use crate::search::{Searching, Sought};
use crate::{
    Asked, Attention, BoardInfo, Code, Confirm, Error, Event, Exchange, FindReason, Instant, Outcome, Phase,
    PortEvent, SlotImage, Unchanged, Wanted, Witness,
};

/// A board that lists the image as pending for so long did not restart.
const RESTART_PATIENCE: Duration = Duration::from_secs(6);
/// How often it is told to restart.
const MOST_RESTARTS: u32 = 3;
/// A restart, a signature and the start of an application, without the swap.
const START_PATIENCE: Duration = Duration::from_secs(20);
/// A swap writes each page of 4 KB twice and erases it three times: 0.1 ms a byte.
const SWAP_MICROS_PER_BYTE: u64 = 100;
/// How long a board may be silent that was updated by a recovery: its application may not speak SMP at all.
const UNASKED_PATIENCE: Duration = Duration::from_secs(60);
/// After the board's own deadline, for what it does then.
const TRIAL_GRACE: Duration = Duration::from_secs(60);

/// The board restarts, swaps, starts the new image.
#[derive(Debug)]
pub(crate) struct Watching {
    search: Searching<Facts>,
    /// The updater's confirmation is on its way.
    confirming: Option<Call>,
}

/// What is known while it is watched.
#[derive(Debug)]
struct Facts {
    order: Box<Order>,
    /// How often it was told to restart.
    restarts: u32,
    /// When it was told so last.
    restarted: Instant,
    /// When the trial is over for us.
    trial: Option<Instant>,
    said: Option<Attention>,
}

/// What a step of watching leads to.
pub(super) enum Watched {
    /// Too early to say.
    Waiting(Box<Watching>),
    /// It was told to restart so often, and has to be told again.
    Restart(Box<Order>, u32),
    Ended(Outcome),
    Failed(Error),
}

enum Verdict {
    /// Too early to say.
    Wait,
    /// It was told to restart, and did not.
    Restart,
    /// The new image runs on trial, or would.
    Trial,
    End(Outcome),
    Fail(Error),
}

impl Watching {
    /// The board was told to restart, `restarts` times so far.
    pub(super) fn begin(
        ctx: &mut Context<'_>,
        order: Box<Order>,
        restarts: u32,
        event: Option<PortEvent>,
    ) -> Self {
        ctx.enter(Phase::Swapping);
        Watching::new(ctx, order, restarts, event)
    }

    /// The new image runs on trial already.
    pub(super) fn join(ctx: &mut Context<'_>, order: Box<Order>) -> Watched {
        *ctx.changed = true;
        let watching = Watching::new(ctx, order, MOST_RESTARTS, None);
        match ctx.board.take() {
            Some(board) => watching.judge(ctx, board),
            None => Watched::Waiting(Box::new(watching)),
        }
    }

    fn new(ctx: &mut Context<'_>, order: Box<Order>, restarts: u32, event: Option<PortEvent>) -> Self {
        let (wanted, framing) = (order.wanted(FindReason::Restart), order.options.framing);
        // A board that can't be asked any more is not waited for as long as one that answers.
        let absence = match order.plan.exchange {
            Exchange::InPlace => order.options.absence.min(UNASKED_PATIENCE),
            _ => order.options.absence,
        };
        let facts = Facts {
            order,
            restarts,
            restarted: ctx.now,
            trial: None,
            said: None,
        };
        Watching {
            search: Searching::after(ctx, event, facts, wanted, framing, absence),
            confirming: None,
        }
    }

    pub(super) fn waits_for(&self) -> Option<&Wanted> {
        self.search.waits_for()
    }

    pub(super) fn handle_packet(mut self, ctx: &mut Context<'_>, packet: &Packet<'_>) -> Watched {
        let Some(call) = &self.confirming else {
            let sought = self.search.handle_packet(ctx, packet);
            return Watching::sought(ctx, sought);
        };
        match call.answer(packet) {
            None => Watched::Waiting(Box::new(self)),
            Some(Response::Failure(failure)) if Code::of(&failure).leaves_it_to_the_application() => {
                let facts = &mut self.search.what;
                facts.order.options.confirm = Confirm::ByApplication;
                facts.attend(ctx, Attention::ConfirmsItself);
                self.search.hear(ctx.now);
                self.confirming = None;
                Watched::Waiting(Box::new(self))
            }
            Some(Response::Failure(failure)) => Watched::Failed(Error::refused(Asked::Confirm, &failure)),
            Some(_) => {
                // What it says the next time counts.
                self.search.hear(ctx.now);
                self.confirming = None;
                Watched::Waiting(Box::new(self))
            }
        }
    }

    pub(super) fn handle_timeout(mut self, ctx: &mut Context<'_>) -> Watched {
        if let Some(call) = &mut self.confirming {
            if let Some(waited) = self.search.given_up(ctx.now) {
                return Watched::Failed(self.search.what.gone(waited));
            }
            if call.late(ctx.line, ctx.now) == Late::GivenUp {
                self.confirming = None;
            }
            return Watched::Waiting(Box::new(self));
        }
        if ctx.now >= self.search.heard() + START_PATIENCE
            && let Some(outcome) = self.search.what.vouched_for(ctx.now)
        {
            return Watched::Ended(outcome);
        }
        let silent = ctx.now >= self.search.heard() + self.search.what.patience();
        if silent && self.search.given_up(ctx.now).is_none() {
            let attention = match self.search.is_open() {
                true => Attention::NoAnswer,
                false => Attention::NoPort,
            };
            self.search.what.attend(ctx, attention);
        }
        if let Some(waited) = self.search.given_up(ctx.now) {
            return Watched::Failed(self.search.what.gone(waited));
        }
        let sought = self.search.handle_timeout(ctx);
        Watching::sought(ctx, sought)
    }

    pub(super) fn handle_port(self, ctx: &mut Context<'_>, event: PortEvent) -> Self {
        Watching {
            search: self.search.handle_port(ctx, event),
            confirming: None,
        }
    }

    pub(super) fn adopt(self, ctx: &mut Context<'_>, board: Box<BoardInfo>) -> Watched {
        let sought = self.search.adopt(ctx.now, board);
        Watching::sought(ctx, sought)
    }

    pub(super) fn deadline(&self) -> Instant {
        match &self.confirming {
            Some(call) => call.deadline(),
            None => self.search.deadline(),
        }
    }

    fn sought(ctx: &mut Context<'_>, sought: Sought<Facts>) -> Watched {
        let watching = |search| Watching {
            search,
            confirming: None,
        };
        match sought {
            Sought::Searching(search) => Watched::Waiting(Box::new(watching(search))),
            Sought::Found(search, board) => watching(search).judge(ctx, board),
            Sought::GivenUp { waited } => Watched::Failed(Error::DidNotReturn { waited }),
        }
    }

    /// The board answered: what does it mean?
    fn judge(mut self, ctx: &mut Context<'_>, board: Box<BoardInfo>) -> Watched {
        let facts = &mut self.search.what;
        let verdict = facts.verdict(ctx.now, &board);
        facts.order.is_vouched_for = facts.is_confirmed_in_bootloader(&board);
        let (role, trial) = (board.role, board.trial);
        if matches!(verdict, Verdict::End(Outcome::Confirmed { .. })) {
            *ctx.proved = facts.order.proved();
        }
        ctx.meet(board);
        match verdict {
            Verdict::Wait => Watched::Waiting(Box::new(self)),
            Verdict::Restart => Watched::Restart(self.search.what.order, self.search.what.restarts),
            Verdict::End(outcome) => {
                if matches!(outcome, Outcome::Confirmed { .. }) {
                    // A quick one confirms itself before it is asked: every successful update was on trial.
                    ctx.enter(Phase::OnTrial);
                }
                Watched::Ended(outcome)
            }
            Verdict::Fail(error) => Watched::Failed(error),
            Verdict::Trial => self.on_trial(ctx, role, trial),
        }
    }

    fn on_trial(mut self, ctx: &mut Context<'_>, role: Option<Role>, trial: Option<Trial>) -> Watched {
        ctx.enter(Phase::OnTrial);
        let facts = &mut self.search.what;
        let limit = *facts.trial.get_or_insert_with(|| match trial {
            // Each start that is left has the whole time.
            Some(Trial {
                left,
                deadline: Some(seconds),
            }) => {
                let seconds = u64::from(seconds) * u64::from(left.clamp(1, 10));
                ctx.now + Duration::from_secs(seconds) + TRIAL_GRACE
            }
            _ => ctx.now + facts.order.options.trial,
        });
        if ctx.now >= limit {
            return Watched::Failed(Error::NotConfirmed);
        }
        if role == Some(Role::Bootloader) {
            facts.attend(ctx, Attention::WaitsInBootloader);
        } else if facts.order.options.confirm == Confirm::ByUpdater {
            let call = Call::new(ctx.line, ctx.now, &confirm_request(), Duration::from_secs(2), 4);
            self.confirming = Some(call);
        }
        Watched::Waiting(Box::new(self))
    }
}

impl Facts {
    /// The board said nothing for so long.
    fn gone(&self, waited: Duration) -> Error {
        match self.order.plan.exchange {
            Exchange::InPlace => Error::OutcomeUnknown,
            _ => Error::DidNotReturn { waited },
        }
    }

    /// How long it may be silent before somebody should know.
    fn patience(&self) -> Duration {
        START_PATIENCE + Duration::from_micros(u64::from(self.order.plan.size) * SWAP_MICROS_PER_BYTE)
    }

    /// Says a thing once in a row.
    fn attend(&mut self, ctx: &mut Context<'_>, attention: Attention) {
        if self.said != Some(attention) {
            self.said = Some(attention);
            ctx.say(Event::Attention(attention));
        }
    }

    /// What there is to do where the board had to restart into its application, and did not so far.
    fn restart_or(&self, now: Instant, error: Error) -> Verdict {
        match now.since(self.restarted) >= RESTART_PATIENCE {
            false => Verdict::Wait,
            true if self.restarts >= MOST_RESTARTS => Verdict::Fail(error),
            true => Verdict::Restart,
        }
    }

    fn verdict(&self, now: Instant, board: &BoardInfo) -> Verdict {
        let running = board.running();
        if let Some(state) = board.starts_nothing() {
            return Verdict::Fail(Error::NothingBoots { state });
        }
        let runs = running.map_or(Some(false), |running| self.order.is_target(running));
        if let Some(running) = running
            && runs == Some(true)
        {
            return self.runs_target(now, board, running);
        }
        if board
            .other()
            .is_some_and(|other| other.pending && self.order.may_be_target(other))
        {
            return self.restart_or(now, Error::DidNotRestart);
        }
        if runs.is_none() {
            // It may be the new image or the old one.
            return self.unknown(now);
        }
        let version = running.map(|running| running.version.clone());
        match &board.rollback {
            Some(rollback) => Verdict::End(Outcome::RolledBack {
                reason: Some(rollback.reason),
                version,
                failed: self.order.plan.to,
            }),
            // A board that keeps no records: what it ran before is back, and the new image lies where it was.
            None if !board.is_bootlace()
                && board
                    .other()
                    .is_some_and(|other| self.order.is_target(other) == Some(true)) =>
            {
                Verdict::End(match self.order.plan.exchange {
                    // Nobody could mark it.
                    Exchange::InPlace => Outcome::Unchanged {
                        reason: Unchanged::NotStarted,
                        version,
                    },
                    _ => Outcome::RolledBack {
                        reason: None,
                        version,
                        failed: self.order.plan.to,
                    },
                })
            }
            None if running.is_none() => Verdict::Fail(Error::NothingBoots {
                state: BootState::NoImage,
            }),
            None if self.order.plan.exchange == Exchange::InPlace => self.unknown(now),
            // The bootloader refused the image, and erased it.
            None => Verdict::End(Outcome::Unchanged {
                reason: Unchanged::NotStarted,
                version,
            }),
        }
    }

    /// The new image is where images run from.
    fn runs_target(&self, now: Instant, board: &BoardInfo, running: &SlotImage) -> Verdict {
        if running.confirmed && board.trial.is_some() {
            // Confirmed between the two answers; or one of them is damaged, and its CRC right by chance. "Done" is only
            // said when both agree.
            return Verdict::Wait;
        }
        if board.is_in_bootloader() && board.recovery || self.is_confirmed_in_bootloader(board) {
            // It lies there, and does not run: "done" is only said of what runs.
            return self.restart_or(now, Error::StaysInBootloader);
        }
        match running.has_flags() {
            true if running.confirmed => Verdict::End(Outcome::Confirmed {
                version: self.order.plan.to,
                took: now.since(self.order.started),
                by: Witness::Itself,
            }),
            true => Verdict::Trial,
            false => self.unknown(now),
        }
    }

    /// Whether the new image lies where images run from, confirmed, while the bootloader answers.
    fn is_confirmed_in_bootloader(&self, board: &BoardInfo) -> bool {
        let confirmed =
            |running: &SlotImage| running.confirmed && self.order.is_target(running) == Some(true);
        board.is_in_bootloader() && board.trial.is_none() && board.running().is_some_and(confirmed)
    }

    /// The end of an update to an image without a port: the bootloader has said that the image confirmed itself, was told to
    /// start it, and nothing answers since.
    fn vouched_for(&self, now: Instant) -> Option<Outcome> {
        self.order.is_vouched_for.then(|| Outcome::Confirmed {
            version: self.order.plan.to,
            took: now.since(self.order.started),
            by: Witness::Bootloader,
        })
    }

    /// The board answers, and what it says does not tell: it may not have restarted yet.
    fn unknown(&self, now: Instant) -> Verdict {
        match now.since(self.restarted) >= RESTART_PATIENCE {
            false => Verdict::Wait,
            true => Verdict::Fail(Error::OutcomeUnknown),
        }
    }
}
