//! What the page shows, and how it changes: no browser types, so that all of it is tested on the host.

mod log;
mod shown;

use std::rc::Rc;

use bootlace_image::PublicKey;

pub use log::{LOG_LINES, Line, Log};
pub use shown::{Chooser, Choosers, Chosen, Demo, DemoImage, Entry, NewBoard, TrustedKey, Work};

use crate::messages::{
    Behaviour, BoardId, Cable, ChoiceId, Ending, ImageInfo, KeptImage, Notice, Problem, Running, Step, Trust,
    Verdict,
};
use bootlace_engine::Outcome;

/// Everything that the page shows. Copied at each change: what is large is shared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// The worker takes commands.
    pub ready: bool,
    /// Whether “New board” is drawn in place of the page.
    pub new_board: NewBoard,
    /// What keeps this browser from ports, if anything.
    pub obstacle: Option<Problem>,
    /// The choosers of ports that it has.
    pub choosers: Choosers,
    /// The tab is in the background.
    pub hidden: bool,
    /// A file is being dragged over the page.
    pub dragging: bool,
    /// The firmware.
    pub chosen: Chosen,
    /// Which choice that is.
    pub choice: ChoiceId,
    /// Keys that the person trusts.
    pub keys: Rc<[TrustedKey]>,
    /// A key that could not be added.
    pub key_problem: Option<Problem>,
    /// Development keys, whose private halves are published, are taken too.
    pub development: bool,
    /// Images that this browser keeps, the latest last.
    pub kept: Rc<[KeptImage]>,
    /// Whole images are sent, whether patches would do or not.
    pub whole: bool,
    /// Images that came with the page to try it with.
    pub demo: Option<Rc<Demo>>,
    /// What happens to the next simulated board.
    pub behaviour: Behaviour,
    /// The boards, oldest first.
    pub boards: Vec<Entry>,
    /// The board that is shown.
    pub shown: Option<BoardId>,
    /// Something about ports that belongs to no board.
    pub problem: Option<Problem>,
    /// What happened.
    pub log: Log,
}

/// What can change the page.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "one is handled at a time")]
pub enum Action {
    /// The worker said something; with the local time of day.
    Notice(String, Notice),
    /// The choosers of ports that the browser has, or what keeps it from ports.
    Choosers(Result<Choosers, Problem>),
    /// “New board” is loaded, drawn, or gone.
    NewBoard(NewBoard),
    /// The tab went to the background or came back.
    Hidden(bool),
    /// A file hovers over the page, or left it.
    Dragging(bool),
    /// A file was chosen and is being read.
    Reading(ChoiceId, String),
    /// The chosen file could not be read.
    Unreadable(ChoiceId, Problem),
    /// The keys kept in this browser, all of them.
    Keys(Vec<TrustedKey>),
    /// A file was no public key.
    NotAKey(Problem),
    /// Development keys are taken, or not.
    Development(bool),
    /// Whole images are sent, or patches where they do.
    Whole(bool),
    /// There is something to try the page with.
    Demo(Demo),
    /// What happens to the next simulated board.
    Behave(Behaviour),
    /// Another board is shown.
    Show(BoardId),
    /// The button was pressed.
    Started(BoardId),
    /// Cancel was pressed.
    Cancelling(BoardId),
    /// On to the next one.
    Again(BoardId),
    /// The problem was read.
    Dismissed,
    /// Something went wrong in the page itself.
    Failed(Problem),
    /// The worker is gone.
    Stopped(Problem),
}

impl State {
    /// The board that is shown.
    pub fn entry(&self) -> Option<&Entry> {
        self.shown
            .and_then(|id| self.boards.iter().find(|entry| entry.id == id))
    }

    /// An update runs: the tab should stay open and the machine awake.
    pub fn is_busy(&self) -> bool {
        self.boards.iter().any(Entry::is_busy)
    }

    /// The board that is shown is being updated, or was just now: what it was chosen from can wait.
    pub fn is_watching(&self) -> bool {
        self.entry().is_some_and(|entry| entry.work != Work::Idle)
    }

    /// The image, if there is one.
    pub fn image(&self) -> Option<&ImageInfo> {
        match &self.chosen {
            Chosen::Image(image) => Some(image),
            _ => None,
        }
    }

    /// What is wrong with the file itself.
    pub fn file_problem(&self) -> Option<Problem> {
        match &self.chosen {
            Chosen::Refused { problem, .. } => Some(problem.clone()),
            Chosen::Image(image) => match &image.verdict {
                Verdict::Refused(error) => Some(Problem::File(error.clone())),
                _ => None,
            },
            _ => None,
        }
    }

    /// The name that the person gave to a key.
    pub fn key_name(&self, key: &PublicKey) -> Option<&str> {
        let known = self.keys.iter().find(|known| known.key == *key)?;
        Some(&known.name)
    }

    /// Whom the person trusts.
    pub fn trust(&self) -> Trust {
        Trust {
            keys: self.keys.iter().map(|known| known.key).collect(),
            development: self.development,
        }
    }

    fn entry_mut(&mut self, id: BoardId) -> Option<&mut Entry> {
        self.boards.iter_mut().find(|entry| entry.id == id)
    }

    /// Changes the page.
    pub fn apply(&mut self, action: Action) {
        match action {
            Action::Notice(at, notice) => self.notice(at, notice),
            Action::Choosers(Ok(choosers)) => (self.choosers, self.obstacle) = (choosers, None),
            Action::Choosers(Err(problem)) => self.obstacle = Some(problem),
            Action::NewBoard(now) => self.new_board = now,
            Action::Hidden(hidden) => self.hidden = hidden,
            Action::Dragging(dragging) => self.dragging = dragging,
            Action::Reading(choice, file) => {
                self.choice = choice;
                self.chosen = Chosen::Reading { file };
                self.withdraw_offers();
            }
            Action::Unreadable(choice, problem) if choice == self.choice => self.refuse(problem),
            Action::Unreadable(..) => {}
            Action::Keys(keys) => {
                self.key_problem = None;
                self.keys = keys.into();
            }
            Action::NotAKey(problem) => self.key_problem = Some(problem),
            Action::Development(development) => self.development = development,
            Action::Whole(whole) => self.whole = whole,
            Action::Demo(demo) => self.demo = Some(Rc::new(demo)),
            Action::Behave(behaviour) => self.behaviour = behaviour,
            Action::Show(id) => self.shown = Some(id),
            Action::Started(id) => {
                if let Some(entry) = self.entry_mut(id) {
                    entry.work = Work::Running {
                        running: Rc::new(Running::new()),
                        cancelling: false,
                    };
                }
            }
            Action::Cancelling(id) => {
                let work = self.entry_mut(id).map(|entry| &mut entry.work);
                if let Some(Work::Running { cancelling, .. }) = work {
                    *cancelling = true;
                }
            }
            Action::Again(id) => self.again(id),
            Action::Dismissed => self.problem = None,
            Action::Failed(problem) => self.problem = Some(problem),
            Action::Stopped(problem) => self.stopped(&problem),
        }
    }

    /// What a board would be brought to is no longer what was chosen.
    fn withdraw_offers(&mut self) {
        for entry in &mut self.boards {
            entry.offer = None;
        }
    }

    fn refuse(&mut self, problem: Problem) {
        let file = match &self.chosen {
            Chosen::None => return,
            Chosen::Reading { file } | Chosen::Refused { file, .. } => file.clone(),
            Chosen::Image(image) => image.file.clone(),
        };
        self.chosen = Chosen::Refused { file, problem };
        self.withdraw_offers();
    }

    /// Without the worker nothing goes on: no update may look as if it did.
    fn stopped(&mut self, problem: &Problem) {
        self.ready = false;
        self.problem = Some(problem.clone());
        self.withdraw_offers();
        if let Chosen::Reading { .. } = self.chosen {
            self.refuse(problem.clone());
        }
        for entry in &mut self.boards {
            entry.cable = Cable::Lost;
            if let Work::Running { running, .. } = &entry.work {
                entry.work = Work::Ended {
                    ending: Rc::new(Ending::Failed(problem.clone())),
                    reached: running.step(),
                };
            }
        }
    }

    /// A board that is still there can be updated again; one that is gone makes room for the next.
    fn again(&mut self, id: BoardId) {
        let gone = self.entry_mut(id).is_some_and(|entry| {
            entry.work = Work::Idle;
            entry.cable == Cable::Lost
        });
        if gone {
            self.remove(id);
        }
    }

    fn remove(&mut self, id: BoardId) {
        self.boards.retain(|entry| entry.id != id);
        if self.shown == Some(id) {
            self.shown = self.boards.last().map(|entry| entry.id);
        }
    }

    fn notice(&mut self, at: String, notice: Notice) {
        match notice {
            Notice::Ready => self.ready = true,
            // The person may have chosen another one meanwhile.
            Notice::Examined(choice, _) if choice != self.choice => {}
            Notice::Examined(_, Ok(image)) => {
                if self.chosen != Chosen::None {
                    self.chosen = Chosen::Image(Rc::new(*image));
                }
            }
            Notice::Examined(_, Err(error)) => self.refuse(Problem::File(error)),
            Notice::Kept(kept) => self.kept = kept.into(),
            Notice::Ports(problem) => self.problem = problem,
            Notice::Appeared { board, via } => {
                self.boards.push(Entry::new(board, via));
                // A board that is being updated isn't pushed aside by the next one.
                if !self.entry().is_some_and(Entry::is_busy) {
                    self.shown = Some(board);
                }
            }
            Notice::Board(id, board) => {
                // Whatever was wrong with a port: here is a board.
                self.problem = None;
                self.forget_left(id, board.serial.as_deref());
                if let Some(entry) = self.entry_mut(id) {
                    entry.board = Some(Rc::new(*board));
                }
            }
            Notice::Offer(id, offer) => {
                if let Some(entry) = self.entry_mut(id) {
                    entry.offer = offer.map(|offer| Rc::new(*offer));
                }
            }
            Notice::Cable(id, cable) => {
                if let Some(entry) = self.entry_mut(id) {
                    entry.cable = cable;
                }
            }
            Notice::Running(id, running) => {
                if let Some(entry) = self.entry_mut(id) {
                    entry.work = Work::Running {
                        running: Rc::new(*running),
                        cancelling: matches!(entry.work, Work::Running { cancelling: true, .. }),
                    };
                }
            }
            Notice::Ended(id, ending) => self.ended(id, *ending),
            Notice::Gone(id) => self.gone(id),
            Notice::Log(fact) => self.log.push(Line { at, fact }),
        }
    }

    fn ended(&mut self, id: BoardId, ending: Ending) {
        // What went wrong on the way no longer matters.
        self.problem = None;
        let Some(entry) = self.entry_mut(id) else { return };
        let confirmed = matches!(
            ending,
            Ending::Outcome {
                outcome: Outcome::Confirmed { .. },
                ..
            }
        );
        let reached = match &entry.work {
            _ if confirmed => Step::Confirmed,
            Work::Running { running, .. } => running.step(),
            _ => Step::Verify,
        };
        entry.work = Work::Ended {
            ending: Rc::new(ending),
            reached,
        };
    }

    /// A board that was left in the middle of an update is back, as a new one.
    fn forget_left(&mut self, id: BoardId, serial: Option<&str>) {
        let is_back = |entry: &Entry| {
            let same = entry.board.as_ref().and_then(|board| board.serial.as_deref()) == serial;
            entry.id != id && serial.is_some() && same && entry.is_left()
        };
        self.boards.retain(|entry| !is_back(entry));
    }

    /// The port was let go. Where that was in the middle of an update, the board stays until the person has read so.
    fn gone(&mut self, id: BoardId) {
        match self.entry_mut(id) {
            Some(entry) if entry.is_left() => {
                entry.cable = Cable::Lost;
                entry.offer = None;
            }
            _ => self.remove(id),
        }
    }
}

impl yew::Reducible for State {
    type Action = Action;

    fn reduce(mut self: Rc<Self>, action: Action) -> Rc<Self> {
        Rc::make_mut(&mut self).apply(action);
        self
    }
}

#[cfg(test)]
mod tests;
