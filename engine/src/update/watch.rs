//! After the restart: is the new image there, does it run, is it confirmed, or was it taken back?
//!
//! The board is asked until it says so. It may be away for long (a swap, an application without a port), come back at
//! another port, or answer in its bootloader.

use alloc::boxed::Box;
use core::time::Duration;

use bootlace_smp::bootlace::{BootState, Role, Trial};
use bootlace_smp::{Header, Response, decode_response};

use super::{Restarting, Update, confirm_request, search};
use crate::line::{Call, Late};
use crate::search::{Search, Sought};
use crate::session::{Context, State};
use crate::{
    Asked, Attention, BoardInfo, Code, Confirm, Error, Event, Instant, Outcome, Phase, PortEvent, SlotImage,
    Unchanged,
};

/// A board that lists the image as pending for so long did not restart.
const RESTART_PATIENCE: Duration = Duration::from_secs(6);
/// How often it is told.
const MOST_RESTARTS: u32 = 3;
/// A restart, a signature and the start of an application, without the swap.
const START: Duration = Duration::from_secs(20);
/// A swap writes each page of 4 KB twice and erases it three times: 0.1 ms a byte.
const SWAP_MICROS_PER_BYTE: u64 = 100;
/// After the board's own deadline, for what it does then.
const GRACE: Duration = Duration::from_secs(60);

/// The board restarts, swaps, starts the new image.
#[derive(Debug)]
pub(crate) struct Watching {
    facts: Facts,
    ask: Ask,
}

/// What is known while it is watched.
#[derive(Debug)]
struct Facts {
    update: Box<Update>,
    /// How often it was told to restart.
    restarts: u32,
    /// When it was told so last.
    restarted: Instant,
    /// When it last said something.
    heard: Instant,
    /// When the trial is over for us.
    trial: Option<Instant>,
    said: Option<Attention>,
}

#[derive(Debug)]
enum Ask {
    Search(Search),
    /// The updater confirms.
    Confirm(Call, Search),
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
    pub(super) fn begin(
        ctx: &mut Context<'_>,
        update: Box<Update>,
        restarts: u32,
        event: Option<PortEvent>,
    ) -> State {
        ctx.enter(Phase::Swapping);
        let ask = Ask::Search(search(ctx, &update, event));
        Watching::new(ctx.now, update, restarts, ask).into()
    }

    /// The new image runs on trial already.
    pub(super) fn join(ctx: &mut Context<'_>, update: Box<Update>) -> State {
        let ask = Ask::Search(search(ctx, &update, None));
        let it = Watching::new(ctx.now, update, MOST_RESTARTS, ask);
        match ctx.board.take() {
            Some(board) => it.judge(ctx, board),
            None => it.into(),
        }
    }

    fn new(now: Instant, update: Box<Update>, restarts: u32, ask: Ask) -> Self {
        let facts = Facts {
            update,
            restarts,
            restarted: now,
            heard: now,
            trial: None,
            said: None,
        };
        Watching { facts, ask }
    }

    pub(crate) fn handle_packet(
        self: Box<Self>,
        ctx: &mut Context<'_>,
        header: &Header,
        payload: &[u8],
    ) -> State {
        let Watching { mut facts, ask } = *self;
        let ask = match ask {
            Ask::Search(search) => {
                let sought = search.handle_packet(ctx, header, payload);
                return Watching::sought(ctx, facts, sought);
            }
            Ask::Confirm(call, search) if call.is_answered_by(header) => {
                match decode_response(header, payload) {
                    Ok(Response::Failure(failure)) => {
                        let reason = failure.reason.map(Into::into);
                        return ctx.fail(Error::BoardRefused {
                            asked: Asked::Confirm,
                            code: Code::of(&failure),
                            reason,
                        });
                    }
                    Ok(_) => {
                        // What it says the next time counts.
                        facts.heard = ctx.now;
                        Ask::Search(search)
                    }
                    Err(_) => Ask::Confirm(call, search),
                }
            }
            ask => ask,
        };
        Watching { facts, ask }.into()
    }

    pub(crate) fn handle_timeout(self: Box<Self>, ctx: &mut Context<'_>) -> State {
        let Watching { mut facts, ask } = *self;
        let waited = ctx.now.since(facts.heard);
        if waited >= facts.update.options.absence {
            return ctx.fail(Error::DidNotReturn { waited });
        }
        match ask {
            Ask::Search(search) => {
                if ctx.now >= facts.heard + facts.patience() {
                    let attention = if search.is_open() {
                        Attention::NoAnswer
                    } else {
                        Attention::NoPort
                    };
                    facts.attend(ctx, attention);
                }
                let sought = search.handle_timeout(ctx);
                Watching::sought(ctx, facts, sought)
            }
            Ask::Confirm(mut call, search) => {
                let ask = match call.late(ctx.line, ctx.now) {
                    Late::Waiting => Ask::Confirm(call, search),
                    Late::GivenUp => Ask::Search(search),
                };
                Watching { facts, ask }.into()
            }
        }
    }

    pub(crate) fn handle_port(self, ctx: &mut Context<'_>, event: PortEvent) -> State {
        let Watching {
            facts,
            ask: Ask::Search(search) | Ask::Confirm(_, search),
        } = self;
        let ask = Ask::Search(search.handle_port(ctx, event));
        Watching { facts, ask }.into()
    }

    pub(crate) fn deadline(&self) -> Instant {
        let next = match &self.ask {
            Ask::Search(search) => search.deadline(),
            Ask::Confirm(call, _) => call.deadline(),
        };
        next.min(self.facts.heard + self.facts.update.options.absence)
    }

    fn sought(ctx: &mut Context<'_>, facts: Facts, sought: Sought) -> State {
        match sought {
            Sought::Searching(search) => Watching {
                facts,
                ask: Ask::Search(search),
            }
            .into(),
            Sought::Found(search, board) => Watching {
                facts,
                ask: Ask::Search(search),
            }
            .judge(ctx, board),
        }
    }

    /// The board answered: what does it mean?
    fn judge(mut self, ctx: &mut Context<'_>, board: Box<BoardInfo>) -> State {
        self.facts.heard = ctx.now;
        let verdict = self.facts.verdict(ctx.now, &board);
        let (role, trial) = (board.role, board.trial);
        ctx.meet(board);
        match verdict {
            Verdict::Wait => self.into(),
            Verdict::Restart => Restarting::again(ctx, self.facts.update, self.facts.restarts),
            Verdict::End(outcome) => {
                if matches!(outcome, Outcome::Confirmed { .. }) {
                    // A quick one confirms itself before it is asked: every successful update was on trial.
                    ctx.enter(Phase::OnTrial);
                }
                ctx.end(outcome)
            }
            Verdict::Fail(error) => ctx.fail(error),
            Verdict::Trial => self.on_trial(ctx, role, trial),
        }
    }

    fn on_trial(mut self, ctx: &mut Context<'_>, role: Option<Role>, trial: Option<Trial>) -> State {
        ctx.enter(Phase::OnTrial);
        let facts = &mut self.facts;
        let limit = *facts.trial.get_or_insert_with(|| match trial {
            // Each start that is left has the whole time.
            Some(Trial {
                left,
                deadline: Some(seconds),
            }) => {
                let seconds = u64::from(seconds) * u64::from(left.clamp(1, 10));
                ctx.now + Duration::from_secs(seconds) + GRACE
            }
            _ => ctx.now + facts.update.options.trial,
        });
        if ctx.now >= limit {
            return ctx.fail(Error::NotConfirmed);
        }
        if role == Some(Role::Bootloader) {
            facts.attend(ctx, Attention::WaitsInBootloader);
        } else if facts.update.options.confirm == Confirm::ByUpdater
            && let Ask::Search(search) = self.ask
        {
            let call = Call::new(ctx.line, ctx.now, &confirm_request(), Duration::from_secs(2), 4);
            return Watching {
                facts: self.facts,
                ask: Ask::Confirm(call, search),
            }
            .into();
        }
        self.into()
    }
}

impl From<Watching> for State {
    fn from(it: Watching) -> State {
        State::Watching(Box::new(it))
    }
}

impl Facts {
    /// How long it may be silent before somebody should know.
    fn patience(&self) -> Duration {
        START + Duration::from_micros(u64::from(self.update.plan.size) * SWAP_MICROS_PER_BYTE)
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
        let is_target = |image: &&SlotImage| self.update.is_target(image);
        let running = board.running();
        if let Some(state) = board.starts_nothing() {
            return Verdict::Fail(Error::NothingBoots { state });
        }
        if let Some(running) = running.filter(is_target) {
            return if running.confirmed && board.trial.is_some() {
                // Confirmed between the two answers; or one of them is damaged, and its CRC right by chance. "Done"
                // is only said when both agree.
                Verdict::Wait
            } else if running.confirmed && board.is_in_bootloader() {
                // It lies there, confirmed, and does not run: "done" is only said of what runs.
                self.restart_or(now, Error::StaysInBootloader)
            } else if running.confirmed {
                let took = now.since(self.update.started);
                Verdict::End(Outcome::Confirmed {
                    version: self.update.plan.to,
                    took,
                })
            } else {
                Verdict::Trial
            };
        }
        if board
            .other()
            .is_some_and(|other| other.pending && self.update.is_target(other))
        {
            return self.restart_or(now, Error::DidNotRestart);
        }
        let version = running.map(|running| running.version.clone());
        match &board.rollback {
            Some(rollback) => Verdict::End(Outcome::RolledBack {
                reason: Some(rollback.reason),
                version,
                failed: self.update.plan.to,
            }),
            // A board that keeps no records: what it ran before is back, and the new image lies where it was.
            None if !board.is_bootlace()
                && board.other().is_some_and(|other| self.update.is_target(other)) =>
            {
                Verdict::End(Outcome::RolledBack {
                    reason: None,
                    version,
                    failed: self.update.plan.to,
                })
            }
            None if running.is_none() => Verdict::Fail(Error::NothingBoots {
                state: BootState::NoImage,
            }),
            None => Verdict::End(Outcome::Unchanged {
                reason: Unchanged::NotStarted,
                version,
            }),
        }
    }
}
