//! One board: its session, its port and its timer, driven as the session's documentation says.

mod history;

use std::sync::Arc;
use std::time::Duration;

use bootlace_engine::{
    Attention, CheckedImage, Command, Content, Error, Event, FindReason, Instant, Job, Phase as Step, Plan,
    PortEvent, Route, Saving, Session, Transmit, Unchanged, words as say,
};
use futures_channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures_util::{FutureExt, StreamExt, select_biased};

use super::hub::Hub;
use super::link::{self, Arrival, Link, OpenError, Port};
use super::patches::Patch;
use super::{cards, now, sleep_until, tell};
use crate::messages::{self, BoardId, Cable, Note, Notice, Phase, Progress, Sends};
use crate::words::{self, PageError};

/// What a board's task is told.
pub(super) enum Order {
    /// This port may be its own.
    Try(Port),
    /// No port is left to try.
    NoneLeft,
    /// Say again what an update would do.
    Plan,
    /// Something changed about patches: say again what an update would send.
    Patches,
    /// Update it.
    Update,
    /// Stop that.
    Cancel,
    /// Ask it again.
    Refresh,
    /// Let it go.
    Release,
}

struct Station {
    hub: Hub,
    id: BoardId,
    session: Session,
    link: Option<Link>,
    /// Number of the open port.
    number: u32,
    arrivals: UnboundedSender<Arrival>,
    /// It said who it is.
    known: bool,
    /// An update runs: where it is.
    job: Option<Progress>,
    /// When it was asked for.
    asked: Instant,
    /// It waits for its patch, or for the answer to another question.
    waits: bool,
    /// It was asked for its journal, and has not answered yet.
    remembers: bool,
    /// What an update would do: working it out reads the whole image.
    planned: Option<Result<Plan, Error>>,
    /// When the new firmware must have confirmed itself.
    deadline: Option<Instant>,
    over: Option<Over>,
}

/// Why a board is let go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    Released,
    Stranger,
}

/// Runs a board from its first port until it is let go.
pub(super) async fn run(
    hub: Hub,
    id: BoardId,
    port: Port,
    asked: bool,
    mut orders: UnboundedReceiver<Order>,
) {
    let (arrivals, mut arrived) = unbounded();
    let link = match link::open_first(&port, &arrivals, asked).await {
        Ok(link) => link,
        Err(error) => {
            tell(&Notice::Ports(Some(error.into())));
            hub.gone(id, true);
            return;
        }
    };
    let mut station = Station {
        hub,
        id,
        session: Session::new(now()),
        link: Some(link),
        number: 0,
        arrivals,
        known: false,
        job: None,
        asked: Instant(0),
        waits: false,
        remembers: false,
        planned: None,
        deadline: None,
        over: None,
    };
    let info = station.link.as_ref().map(Link::info).unwrap_or_default();
    station.session.handle_port(now(), PortEvent::Opened(info));
    station.log(format!("{} opened", port.name()));
    while station.over.is_none() {
        station.pump().await;
        if station.over.is_some() {
            break;
        }
        let wake = station.wake();
        select_biased! {
            arrival = arrived.next() => if let Some(arrival) = arrival {
                station.arrive(arrival).await;
            },
            order = orders.next() => match order {
                Some(order) => station.obey(order).await,
                None => break,
            },
            () = sleep_until(wake).boxed_local().fuse() => {
                station.session.handle_timeout(now());
                station.count_down();
            }
        }
    }
    station.close().await;
    station.hub.gone(id, station.over == Some(Over::Stranger));
}

impl Station {
    fn log(&self, text: impl Into<String>) {
        tell(&Notice::Log(Some(self.id), text.into()));
    }

    /// When something is due: the session's timer, or the next second of a trial.
    fn wake(&self) -> Instant {
        let due = self.session.poll_timeout().unwrap_or(Instant(u64::MAX));
        let left = self.deadline.map(|deadline| deadline.since(now()));
        let second = left.map(|left| now() + Duration::from_micros(u64::from(left.subsec_micros()) + 1000));
        second.map_or(due, |second| due.min(second))
    }

    /// Seconds left to the trial.
    fn count_down(&mut self) {
        let Some(deadline) = self.deadline else { return };
        let left = u32::try_from(deadline.since(now()).as_secs()).unwrap_or(u32::MAX);
        if left == 0 {
            self.deadline = None;
        }
        if self
            .job
            .as_ref()
            .is_some_and(|progress| progress.remaining.unwrap_or(0) != left)
        {
            self.progress(|progress| progress.remaining = (left > 0).then_some(left));
        }
    }

    /// Does what the session wants.
    async fn pump(&mut self) {
        loop {
            while let Some(Transmit::Bytes(bytes)) = self.session.poll_transmit() {
                if let Some(link) = &self.link {
                    link.send(bytes);
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
            Arrival::Bytes(number, bytes) if number == self.number && self.link.is_some() => {
                self.session.handle_input(now(), &bytes);
            }
            Arrival::Lost(number) if number == self.number && self.link.is_some() => {
                self.close().await;
                if self.known {
                    self.session.handle_port(now(), PortEvent::Lost);
                    if self.job.is_none() {
                        self.log("Unplugged");
                        tell(&Notice::Cable(self.id, Cable::Lost));
                    }
                    self.hub.closed(self.id, false);
                    self.hub.search(self.id);
                } else {
                    tell(&Notice::Ports(Some(PageError::PortVanished.into())));
                    self.over = Some(Over::Released);
                }
            }
            _ => {}
        }
    }

    async fn obey(&mut self, order: Order) {
        match order {
            Order::Try(port) => {
                self.number += 1;
                match port.open(self.arrivals.clone(), self.number).await {
                    Ok(link) => {
                        let info = link.info();
                        self.link = Some(link);
                        self.session.handle_port(now(), PortEvent::Opened(info));
                    }
                    Err(error) => self.hub.closed(self.id, error == OpenError::Busy),
                }
            }
            Order::NoneLeft => self.session.handle_port(now(), PortEvent::NotFound),
            Order::Plan => self.plan(),
            Order::Patches => self.patches(),
            Order::Update => self.update(),
            Order::Cancel if self.waits => self.cancelled(),
            Order::Cancel => {
                if self.session.cancel(now()) {
                    self.log("Stop asked for");
                }
            }
            Order::Refresh => {
                // Busy or gone: then it will say by itself how it is.
                _ = self.session.refresh(now());
            }
            Order::Release if self.job.is_none() => self.over = Some(Over::Released),
            Order::Release => {}
        }
    }

    /// What an update would do; none without an image.
    fn intended(&self) -> Option<Result<Plan, Error>> {
        let board = self.session.board();
        let keys = board.map(|board| board.keys.clone()).unwrap_or_default();
        let file = self.hub.image()?;
        let image = CheckedImage::new(file.bytes.clone());
        Some(image.and_then(|image| self.session.plan(&image, &self.hub.options(&keys))))
    }

    /// What an update would send, and the patch if there is one.
    fn sends(&self, plan: &Plan) -> (Sends, Option<Vec<u8>>) {
        let whole = (Sends::Whole, None);
        let board = self.session.board();
        let Some(board) = board.filter(|board| plan.route == Route::Upload && board.takes_patches()) else {
            return whole;
        };
        let Some(running) = board.running().filter(|running| !running.hash.is_empty()) else {
            return whole;
        };
        match self.hub.patch(&running.hash, &plan.hash) {
            None => (Sends::WholeWanted, None),
            Some(Patch::Making(percent)) => (Sends::Making(percent), None),
            Some(Patch::Unseen) => {
                let version = cards::version(&running.version);
                (Sends::WholeBecause(words::unseen(&version)), None)
            }
            Some(Patch::None) => whole,
            Some(Patch::Made(patch)) => {
                let size = u32::try_from(patch.len()).unwrap_or(u32::MAX);
                let saving = Saving::new(plan.size, size, self.session.pace());
                (Sends::Patch(say::saving(&saving)), Some(patch.to_vec()))
            }
        }
    }

    fn plan(&mut self) {
        if self.known && self.job.is_none() {
            self.planned = self.intended();
            self.tell_plan();
        }
    }

    fn tell_plan(&self) {
        let plan = self.planned.clone().map(|plan| {
            let sends = plan.as_ref().map_or(Sends::Whole, |plan| self.sends(plan).0);
            cards::plan(plan, sends)
        });
        tell(&Notice::Plan(self.id, plan));
    }

    fn patches(&mut self) {
        if self.waits {
            self.start();
        } else if self.known && self.job.is_none() {
            self.tell_plan();
        }
    }

    fn update(&mut self) {
        let Some(file) = self.hub.image() else { return };
        let total = u32::try_from(file.bytes.len()).unwrap_or(u32::MAX);
        let progress = Progress::at(Phase::Verify, total);
        tell(&Notice::Progress(self.id, progress.clone()));
        self.job = Some(progress);
        self.asked = now();
        self.hub.busy(self.id, true);
        self.log("Update started");
        self.start();
    }

    /// Starts the session's part; as soon as the patch is there, if one is being made.
    fn start(&mut self) {
        if self.remembers {
            self.waits = true;
            return;
        }
        let Some(file) = self.hub.image() else {
            return self.cancelled();
        };
        let (size, (sends, patch)) = match &self.planned {
            Some(Ok(plan)) => (plan.size, self.sends(plan)),
            _ => (0, (Sends::Whole, None)),
        };
        self.waits = matches!(sends, Sends::Making(_));
        match sends {
            Sends::Making(percent) => {
                return self.progress(|progress| {
                    (progress.patch, progress.done, progress.total) = (true, percent, 100);
                });
            }
            Sends::Patch(saving) => self.log(format!("What changed is sent: {saving}")),
            Sends::WholeBecause(reason) => self.log(reason),
            Sends::Whole | Sends::WholeWanted => {}
        }
        // From here on bytes are counted, no longer how far the patch is made.
        let patched = patch
            .as_ref()
            .map(|patch| u32::try_from(patch.len()).unwrap_or(u32::MAX));
        self.progress(|progress| {
            (progress.patch, progress.done, progress.total) = (patched.is_some(), 0, patched.unwrap_or(size));
            // How much time it saves is a forecast: said before, not after.
            progress.note =
                patched.map(|patched| Note::Saves(say::saving(&Saving::new(size, patched, None))));
        });
        let keys = self.session.board().map(|board| board.keys.clone());
        let image = match CheckedImage::new(file.bytes.clone()) {
            Ok(image) => Arc::new(image),
            Err(error) => return self.failed(cards::problem(say::error(&error))),
        };
        let job = Job::Update {
            image,
            patch: patch.map(Arc::from),
            options: self.hub.options(&keys.unwrap_or_default()),
        };
        if let Err(error) = self.session.start(now(), job) {
            self.failed(cards::problem(say::error(&error)));
        }
    }

    fn ended(&mut self, outcome: messages::Outcome) {
        self.job = None;
        self.waits = false;
        self.deadline = None;
        self.hub.busy(self.id, false);
        tell(&Notice::Outcome(self.id, outcome));
        self.plan();
    }

    /// Before anything was sent.
    fn cancelled(&mut self) {
        let reason = say::unchanged(Unchanged::Cancelled).to_owned();
        self.ended(messages::Outcome::Unchanged { reason });
    }

    fn failed(&mut self, problem: messages::Problem) {
        self.log(format!("Failed ({}): {}", problem.name, problem.what));
        self.ended(messages::Outcome::Failed(problem));
    }

    fn progress(&mut self, change: impl FnOnce(&mut Progress)) {
        if let Some(progress) = &mut self.job {
            change(progress);
            tell(&Notice::Progress(self.id, progress.clone()));
        }
    }

    async fn close(&mut self) {
        if let Some(link) = self.link.take() {
            link.close().await;
        }
    }

    async fn event(&mut self, event: Event) {
        match event {
            Event::Board(info) => {
                let card = cards::board(&info);
                if !self.known {
                    self.log(cards::greeting(&card));
                }
                self.known = true;
                self.hub.known(self.id, &info.keys);
                tell(&Notice::Cable(self.id, Cable::Connected));
                tell(&Notice::Board(self.id, Box::new(card)));
                let trial = info
                    .trial
                    .and_then(|trial| trial.deadline)
                    .filter(|_| self.job.is_some());
                self.deadline = trial.map(|left| now() + Duration::from_secs(left.into()));
                self.count_down();
                self.plan();
            }
            Event::Phase(Step::Ready) => self.ask_journal(),
            Event::Phase(step) => self.phase(step),
            // After an interruption the count starts at 0 until the board has said where it was.
            Event::Progress(news)
                if news.done == 0 && self.job.as_ref().is_some_and(|job| job.done > 0 && !job.patch) => {}
            Event::Progress(news) => self.progress(|progress| {
                progress.patch = news.content == Content::Patch;
                progress.done = news.done;
                progress.total = news.total;
                progress.rate = news.rate;
                progress.remaining = news
                    .remaining
                    .map(|left| u32::try_from(left.as_secs()).unwrap_or(u32::MAX));
            }),
            Event::Resumed { offset } => self.log(format!("The board holds {} already", say::bytes(offset))),
            Event::WholeInstead(reason) => {
                let why = say::no_patch(reason);
                self.log(format!("{}: {why}", reason.name()));
                self.progress(|progress| progress.note = Some(Note::Whole(why)));
            }
            Event::FindBoard { wanted } => {
                let reason = wanted.reason;
                self.close().await;
                self.deadline = None;
                let cable = match reason {
                    FindReason::Restart => Cable::Restarting,
                    FindReason::Unplugged => Cable::Lost,
                };
                tell(&Notice::Cable(self.id, cable));
                self.hub.closed(self.id, false);
                self.hub.search(self.id);
            }
            Event::WrongBoard { found } => {
                self.log(format!(
                    "Another board is there: {}",
                    found.as_deref().unwrap_or("without a serial number")
                ));
                self.close().await;
                self.hub.closed(self.id, true);
            }
            Event::Attention(attention) => self.attention(attention),
            Event::Done(Command::Refresh) => {}
            Event::Done(Command::Journal) => self.heard_journal(),
            Event::WantsRestart => self.session.allow_restart(now()),
            Event::Done(command) => self.log(format!("Done: {command:?}")),
            Event::Outcome(outcome) => {
                self.log(say::outcome(&outcome));
                let mut ending = cards::outcome(&outcome);
                if let messages::Outcome::Confirmed { took, note, .. } = &mut ending {
                    *took = u32::try_from(now().since(self.asked).as_millis()).unwrap_or(u32::MAX);
                    *note = self.job.as_ref().and_then(|job| job.note.clone());
                    self.progress(|progress| progress.phase = Phase::Confirmed);
                }
                self.ended(ending);
            }
            Event::Failed(failure) => {
                self.remembers = false;
                let problem = cards::problem(say::failure(&failure));
                if !self.known {
                    self.log(format!("{}: {}", problem.name, problem.what));
                    let lost = failure.error == Error::PortLost;
                    tell(&Notice::Ports(Some(if lost {
                        PageError::PortVanished.into()
                    } else {
                        problem
                    })));
                    self.over = Some(if lost { Over::Released } else { Over::Stranger });
                } else if self.job.is_some() {
                    self.failed(problem);
                } else {
                    self.log(format!("{}: {}", problem.name, problem.what));
                }
            }
        }
    }

    fn phase(&mut self, step: Step) {
        if self.job.is_none() {
            return;
        }
        let phase = match step {
            Step::Connecting | Step::Ready => return,
            Step::Uploading => Phase::Send,
            Step::Verifying | Step::Restarting => Phase::Restart,
            Step::Swapping => Phase::Swap,
            Step::OnTrial => Phase::Trial,
        };
        self.log(say::phase(step));
        self.progress(|progress| {
            progress.phase = phase;
            progress.rate = None;
            progress.remaining = None;
            progress.hint = None;
        });
    }

    fn attention(&mut self, attention: Attention) {
        let text = say::attention(attention);
        self.log(text);
        if attention != Attention::Unplugged {
            self.progress(|progress| progress.hint = Some(text.to_owned()));
        }
    }
}
