//! One board: its session, its port and its timer, driven as the session's documentation says.

use std::rc::Rc;
use std::sync::Arc;

use bootlace_engine::{
    Command, Error, Event, FindReason, Instant, NoPatch, Outcome, Phase, Plan, PortEvent, Saving, Session,
    Transmit, Unchanged, wanted_base,
};
use futures_channel::mpsc::UnboundedReceiver;
use futures_util::{FutureExt, StreamExt, select_biased};

use super::doing::Doing;
use super::examine::options;
use super::greet::{Line, Met};
use super::job::Job;
use super::orders::{Closed, Order, Report, Wanted};
use super::patches::{Between, Patch};
use super::ports::Arrival;
use super::scope::{log, now, sleep_until, tell};
use crate::messages::{BoardId, Cable, Ending, LogFact, Notice, Offer, PatchFate, Problem, Sends};

struct Board<R> {
    id: BoardId,
    /// What is wanted of it.
    wanted: Rc<Wanted>,
    report: R,
    session: Session,
    /// Its open port; none while it is away.
    line: Option<Line>,
    doing: Doing,
    /// What an update would do: working it out reads the whole image.
    planned: Option<Result<Plan, Error>>,
    /// How it is with the patch that was asked for last.
    patch: Option<(Between, Patch)>,
    /// What was wanted when the person asked for the update that runs: what is chosen meanwhile is for later.
    task: Rc<Wanted>,
}

/// Runs a board from when it was met until it is let go.
pub(super) async fn run(
    id: BoardId,
    wanted: Rc<Wanted>,
    met: Met,
    report: impl Fn(Report),
    mut orders: UnboundedReceiver<Order>,
) {
    log(LogFact::met(&met.greeted.board));
    let mut board = Board {
        id,
        task: wanted.clone(),
        wanted,
        report,
        session: Session::greeted(now(), met.greeted),
        line: Some(met.line),
        doing: Doing::Idle,
        planned: None,
        patch: None,
    };
    loop {
        board.pump().await;
        if let Doing::Over = board.doing {
            break;
        }
        let wake = board.wake();
        select_biased! {
            arrival = next_arrival(&mut board.line).boxed_local().fuse() => board.arrive(arrival).await,
            order = orders.next() => match order {
                Some(order) => board.obey(order).await,
                None => break,
            },
            () = sleep_until(wake).boxed_local().fuse() => {
                board.session.handle_timeout(now());
                board.count_down();
            }
        }
    }
    board.close().await;
    (board.report)(Report::Gone);
}

/// What comes out of the port; without one, nothing ever does.
async fn next_arrival(line: &mut Option<Line>) -> Arrival {
    match line {
        Some(line) => line.arrived.next().await.unwrap_or(Arrival::Lost),
        None => std::future::pending().await,
    }
}

impl<R: Fn(Report)> Board<R> {
    /// When something is due: the session's timer, or the next second of a trial.
    fn wake(&self) -> Instant {
        let due = self.session.poll_timeout().unwrap_or(Instant(u64::MAX));
        let second = self.doing.job().and_then(|job| job.next_second(now()));
        second.map_or(due, |second| due.min(second))
    }

    fn count_down(&mut self) {
        self.run(|job| job.count_down(now()));
    }

    /// Changes the running update, if there is one, and tells the view if that is news.
    fn run(&mut self, change: impl FnOnce(&mut Job) -> bool) {
        if let Some(job) = self.doing.job_mut()
            && change(job)
        {
            tell(&Notice::Running(self.id, Box::new(job.running.clone())));
        }
    }

    /// Does what the session wants.
    async fn pump(&mut self) {
        loop {
            while let Some(transmit) = self.session.poll_transmit() {
                if let (Some(line), Transmit::Bytes(bytes)) = (&self.line, transmit) {
                    line.link.send(bytes);
                }
            }
            let Some(event) = self.session.poll_event() else {
                break;
            };
            self.event(event).await;
        }
    }

    async fn arrive(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Bytes(bytes) => self.session.handle_input(now(), &bytes),
            Arrival::Lost => {
                self.close().await;
                self.session.handle_port(now(), PortEvent::Lost);
                if self.doing.job().is_none() {
                    log(LogFact::Unplugged);
                    self.cable(Cable::Lost);
                }
                (self.report)(Report::Closed(Closed::Away));
            }
        }
    }

    async fn obey(&mut self, order: Order) {
        match order {
            Order::Adopt(met) => match self.session.adopt(now(), met.greeted) {
                Ok(()) => self.line = Some(met.line),
                // It has a port: what else was found is not its own.
                Err(_) => met.line.link.close().await,
            },
            Order::MayRestart => self.session.allow_restart(now()),
            Order::Want(wanted) => {
                self.wanted = wanted;
                self.plan();
            }
            Order::Patch(between, patch) => {
                if self.patch.as_ref().is_some_and(|(known, _)| *known == between) {
                    self.patch = Some((between, patch));
                    self.patch_is_news();
                }
            }
            Order::Update => self.update(),
            Order::Cancel => self.cancel(),
            Order::Refresh => {
                // Busy or gone: then it will say by itself how it is.
                _ = self.session.refresh(now());
            }
            Order::Release { anyway } => {
                let busy = self.doing.job().is_some();
                if busy && anyway {
                    log(LogFact::Left);
                    self.end(Ending::Left);
                }
                if anyway || !busy {
                    self.doing = Doing::Over;
                }
            }
        }
    }

    /// What an update would do; none without an image.
    fn intended(&self) -> Option<Result<Plan, Error>> {
        let wanted = &self.wanted;
        Some(match &wanted.file.as_ref()?.image {
            Ok(image) => self.session.plan(image, &options(&wanted.trust)),
            Err(error) => Err(error.clone()),
        })
    }

    /// What an update would send, and the patch if there is one.
    fn sends(&mut self, plan: &Plan, whole_wanted: bool) -> (Sends, Option<Arc<[u8]>>) {
        let Some(board) = self.session.board() else {
            return (Sends::Whole(NoPatch::NothingRuns), None);
        };
        let base = match wanted_base(board, plan) {
            Ok(base) => base,
            Err(reason) => return (Sends::Whole(reason), None),
        };
        if whole_wanted {
            return (Sends::WholeWanted, None);
        }
        let between = Between {
            from: base.hash.clone(),
            to: plan.hash.clone(),
        };
        let known = self.patch.as_ref().filter(|(known, _)| *known == between);
        match known.map(|(_, patch)| patch.clone()) {
            None => {
                self.patch = Some((between.clone(), Patch::Making(0)));
                (self.report)(Report::WantsPatch(between));
                (Sends::Making(0), None)
            }
            Some(Patch::Making(percent)) => (Sends::Making(percent), None),
            Some(Patch::Useless(reason)) => (Sends::Whole(reason), None),
            Some(Patch::Made(patch)) => {
                let size = u32::try_from(patch.len()).unwrap_or(u32::MAX);
                let saving = Saving::new(plan.size, size, self.session.pace());
                (Sends::Patch(saving), Some(patch))
            }
        }
    }

    fn plan(&mut self) {
        if matches!(self.doing, Doing::Idle | Doing::Journal(None)) {
            self.planned = self.intended();
            self.tell_offer();
        }
    }

    fn tell_offer(&mut self) {
        let offer = self.planned.clone().map(|plan| {
            let whole = self.wanted.whole;
            let sends = plan
                .as_ref()
                .map_or(Sends::Whole(NoPatch::NothingToSend), |plan| {
                    self.sends(plan, whole).0
                });
            Box::new(Offer { plan, sends })
        });
        tell(&Notice::Offer(self.id, offer));
    }

    fn patch_is_news(&mut self) {
        match std::mem::replace(&mut self.doing, Doing::Idle) {
            Doing::Preparing(job) => self.start(job),
            doing => {
                self.doing = doing;
                if matches!(self.doing, Doing::Idle | Doing::Journal(None)) {
                    self.tell_offer();
                }
            }
        }
    }

    fn update(&mut self) {
        let asking = matches!(self.doing, Doing::Journal(None));
        if self.wanted.file.is_none() || !(asking || matches!(self.doing, Doing::Idle)) {
            return;
        }
        let job = Job::new(now());
        tell(&Notice::Running(self.id, Box::new(job.running.clone())));
        (self.report)(Report::Busy(true));
        log(LogFact::Started);
        self.task = self.wanted.clone();
        if asking {
            self.doing = Doing::Journal(Some(job));
        } else {
            self.start(job);
        }
    }

    /// Starts the session's part; as soon as the patch is there, if one is being made.
    fn start(&mut self, mut job: Job) {
        let task = self.task.clone();
        let Some(file) = &task.file else {
            return self.cancelled();
        };
        let image = match &file.image {
            Ok(image) => image.clone(),
            Err(error) => return self.failed(Problem::File(error.clone())),
        };
        let planned = self.planned.clone().and_then(Result::ok);
        let (sends, patch) = planned
            .as_ref()
            .map_or((Sends::Whole(NoPatch::NothingToSend), None), |plan| {
                self.sends(plan, task.whole)
            });
        if let Sends::Making(percent) = sends {
            job.making(percent);
            self.doing = Doing::Preparing(job);
            return self.run(|_| true);
        }
        // How much time the patch saves is a forecast: said before, not after.
        let fate = match &sends {
            Sends::Patch(saving) => Some(PatchFate::Saves(Saving {
                time: None,
                ..*saving
            })),
            _ => None,
        };
        log(LogFact::Sends(sends));
        job.sending(fate);
        self.doing = Doing::Updating(job);
        self.run(|_| true);
        let job = bootlace_engine::Job::Update {
            image,
            patch,
            options: options(&task.trust),
        };
        if let Err(error) = self.session.start(now(), job) {
            self.failed(Problem::Plan(error));
        }
    }

    fn cancel(&mut self) {
        match self.doing {
            Doing::Preparing(_) | Doing::Journal(Some(_)) => self.cancelled(),
            _ => {
                if self.session.cancel(now()) {
                    log(LogFact::CancelAsked);
                }
            }
        }
    }

    /// Before anything was sent.
    fn cancelled(&mut self) {
        let version = self.session.board().and_then(|board| board.running());
        let outcome = Outcome::Unchanged {
            reason: Unchanged::Cancelled,
            version: version.map(|running| running.version.clone()),
        };
        self.end(Ending::Outcome { outcome, patch: None });
    }

    fn failed(&mut self, problem: Problem) {
        log(LogFact::Problem(problem.clone()));
        self.end(Ending::Failed(problem));
    }

    fn end(&mut self, ending: Ending) {
        self.doing = match self.doing {
            Doing::Journal(Some(_)) => Doing::Journal(None),
            _ => Doing::Idle,
        };
        (self.report)(Report::Busy(false));
        tell(&Notice::Ended(self.id, Box::new(ending)));
        self.plan();
    }

    fn cable(&self, cable: Cable) {
        tell(&Notice::Cable(self.id, cable));
    }

    async fn close(&mut self) {
        if let Some(line) = self.line.take() {
            line.link.close().await;
        }
    }

    async fn event(&mut self, event: Event) {
        match event {
            Event::Board(info) => {
                (self.report)(Report::Known {
                    serial: info.serial.clone(),
                    keys: info.keys.clone(),
                });
                self.cable(Cable::Connected);
                if let Some(job) = self.doing.job_mut() {
                    job.meet(&info, now());
                }
                tell(&Notice::Board(self.id, info));
                self.count_down();
                self.plan();
            }
            Event::Phase(Phase::Ready) => self.ask_journal(),
            Event::Phase(phase) => {
                self.run(|job| {
                    let news = job.phase(phase);
                    if news {
                        log(LogFact::Phase(phase));
                    }
                    news
                });
            }
            Event::Progress(news) => self.run(|job| job.progress(news)),
            Event::Resumed { offset } => log(LogFact::Resumed { offset }),
            Event::WholeInstead(reason) => {
                let fate = PatchFate::Whole(reason);
                log(LogFact::Patch(fate));
                self.run(|job| {
                    job.running.patch = Some(fate);
                    true
                });
            }
            Event::FindBoard { wanted } => {
                self.close().await;
                match wanted.reason {
                    FindReason::Restart => {
                        self.run(|job| {
                            job.restarts();
                            job.count_down(now());
                            true
                        });
                        self.cable(Cable::Restarting);
                    }
                    FindReason::Unplugged => self.cable(Cable::Lost),
                }
                (self.report)(Report::Closed(Closed::Away));
                (self.report)(Report::Waits(wanted));
            }
            Event::WrongBoard { found } => {
                log(LogFact::OtherBoard { serial: found });
                self.close().await;
                (self.report)(Report::Closed(Closed::NotOurs));
            }
            Event::Attention(attention) => {
                log(LogFact::Attention(attention));
                self.run(|job| {
                    job.attention(attention);
                    true
                });
            }
            Event::Done(Command::Journal) => self.heard_journal(),
            Event::Done(_) => {}
            Event::WantsRestart => match self.session.board() {
                Some(board) => (self.report)(Report::WantsRestart(Box::new(board.clone()))),
                None => self.session.allow_restart(now()),
            },
            Event::Outcome(outcome) => self.outcome(outcome),
            Event::Failed(failure) => {
                let problem = Problem::Session(failure);
                match self.doing {
                    Doing::Preparing(_) | Doing::Updating(_) => self.failed(problem),
                    Doing::Journal(_) => {
                        log(LogFact::Problem(problem));
                        self.heard_journal();
                    }
                    Doing::Idle | Doing::Over => log(LogFact::Problem(problem)),
                }
            }
        }
    }

    fn outcome(&mut self, outcome: Outcome) {
        log(LogFact::Outcome(outcome.clone()));
        let job = self.doing.job();
        let patch = job.and_then(|job| job.running.patch);
        // What counts is how long the person waited.
        let outcome = match (outcome, job) {
            (Outcome::Confirmed { version, by, .. }, Some(job)) => Outcome::Confirmed {
                version,
                by,
                took: now().since(job.asked),
            },
            (outcome, _) => outcome,
        };
        self.end(Ending::Outcome { outcome, patch });
    }

    /// The session has nothing to do: what the board remembers of its last updates is asked for.
    fn ask_journal(&mut self) {
        // A board that keeps none, or is busy after all, has none to show.
        if matches!(self.doing, Doing::Idle) && self.session.journal(now()).unwrap_or(false) {
            self.doing = Doing::Journal(None);
        }
    }

    /// An update that was asked for meanwhile starts now.
    fn heard_journal(&mut self) {
        if let Doing::Journal(job) = std::mem::replace(&mut self.doing, Doing::Idle)
            && let Some(job) = job
        {
            self.start(job);
        }
    }
}
