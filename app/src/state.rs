//! What the page shows, and how it changes: no browser types, so that all of it is tested on the host.

use std::rc::Rc;

use crate::messages::{
    Behaviour, BoardCard, BoardId, Cable, ImageCard, KeptImage, KeyCard, NamedKey, Notice, Outcome, Phase,
    Plan, Problem, Progress, Verdict, Via,
};

/// The log keeps this many lines: an update writes about fifteen.
const LOG_LINES: usize = 500;

/// Everything that the page shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// The engine answers.
    pub ready: bool,
    /// What keeps this browser from serial ports, if anything.
    pub obstacle: Option<Problem>,
    /// The tab is in the background.
    pub hidden: bool,
    /// A file is being dragged over the page.
    pub dragging: bool,
    /// The firmware.
    pub image: Image,
    /// Keys that the person trusts.
    pub keys: Vec<TrustedKey>,
    /// A key that could not be added.
    pub key_problem: Option<Problem>,
    /// MCUboot's published development keys are taken too.
    pub development: bool,
    /// Images that this browser keeps, the latest last.
    pub kept: Vec<KeptImage>,
    /// Whole images are sent, whether patches would do or not.
    pub whole: bool,
    /// Images that came with the page to try it with.
    pub demo: Option<Demo>,
    /// How the next simulated application behaves.
    pub behaviour: Behaviour,
    /// The boards, oldest first.
    pub boards: Vec<Board>,
    /// The board that is shown.
    pub shown: Option<BoardId>,
    /// Something about ports that belongs to no board.
    pub problem: Option<Problem>,
    /// What happened, oldest first.
    pub log: Vec<Line>,
}

/// The firmware slot of the page.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Image {
    /// No file yet.
    #[default]
    None,
    /// A file is being read and examined.
    Reading(String),
    /// The file is no image that can be used.
    Refused {
        /// Its name.
        file: String,
        /// Why.
        problem: Problem,
    },
    /// An image.
    Known(ImageCard),
}

/// A key that the person added.
#[derive(Clone, Debug, PartialEq)]
pub struct TrustedKey {
    /// As it is stored.
    pub key: NamedKey,
    /// As it is shown, once the engine has read it.
    pub card: Option<KeyCard>,
}

/// What came with the page to try it with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Demo {
    /// The public key (PEM) which the simulated board trusts.
    pub key: String,
    /// What the simulated board is called.
    pub board: String,
    /// Images on offer.
    pub images: Vec<DemoImage>,
    /// Which of them the simulated board runs when it is plugged in.
    pub installed: Option<usize>,
}

/// An image that came with the page.
#[derive(Clone, Debug, PartialEq)]
pub struct DemoImage {
    /// As people call it.
    pub title: String,
    /// Address below `demo/`.
    pub file: String,
}

/// A board, or a port that is being asked whether it is one.
#[derive(Clone, Debug, PartialEq)]
pub struct Board {
    /// Its number.
    pub id: BoardId,
    /// The way to it.
    pub via: Via,
    /// Whether it is there.
    pub cable: Cable,
    /// What it said; none until it answered.
    pub card: Option<BoardCard>,
    /// What the button would do.
    pub plan: Option<Plan>,
    /// What is being done.
    pub run: Run,
}

/// What is being done with a board.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Run {
    /// Nothing.
    #[default]
    Idle,
    /// An update.
    Running {
        /// Where it is.
        progress: Progress,
        /// A stop was asked for.
        stopping: bool,
    },
    /// An update ended.
    Ended {
        /// How.
        outcome: Outcome,
        /// The last step that was reached.
        reached: Phase,
    },
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Local time of day.
    pub at: String,
    /// What happened.
    pub text: String,
}

/// What can change the page.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// The worker said something; with the local time of day.
    Notice(String, Notice),
    /// What keeps the browser from ports.
    Obstacle(Option<Problem>),
    /// The tab went to the background or came back.
    Hidden(bool),
    /// A file hovers over the page, or left it.
    Dragging(bool),
    /// A file was taken and is being read.
    Reading(String),
    /// A file could not be read.
    Unreadable(String, Problem),
    /// The image was put away.
    Forgotten,
    /// The keys kept in this browser, all of them.
    Keys(Vec<NamedKey>),
    /// One more key, or a new name for one.
    KeyAdded(NamedKey),
    /// A file was no public key.
    NotAKey(Problem),
    /// Development keys are taken, or not.
    Development(bool),
    /// Whole images are sent, or patches where they do.
    Whole(bool),
    /// There is something to try the page with.
    Demo(Demo),
    /// How the next simulated application behaves.
    Behave(Behaviour),
    /// Another board is shown.
    Show(BoardId),
    /// The button was pressed.
    Started(BoardId),
    /// Stop was pressed.
    Stopping(BoardId),
    /// On to the next one.
    Again(BoardId),
    /// The problem was read.
    Dismissed,
    /// Something went wrong in the page itself.
    Failed(Problem),
    /// The engine is gone.
    Stopped(Problem),
}

impl State {
    /// The board that is shown.
    pub fn board(&self) -> Option<&Board> {
        self.shown
            .and_then(|id| self.boards.iter().find(|board| board.id == id))
    }

    /// An update runs: the tab should stay open and the machine awake.
    pub fn is_busy(&self) -> bool {
        self.boards
            .iter()
            .any(|board| matches!(board.run, Run::Running { .. }))
    }

    /// The board that is shown is being updated, or was just now: what it was chosen from can wait.
    pub fn is_watching(&self) -> bool {
        self.board().is_some_and(|board| board.run != Run::Idle)
    }

    /// The image, if there is a good one.
    pub fn known_image(&self) -> Option<&ImageCard> {
        match &self.image {
            Image::Known(card) => Some(card),
            _ => None,
        }
    }

    /// What is wrong with the image itself.
    pub fn image_problem(&self) -> Option<&Problem> {
        match &self.image {
            Image::Refused { problem, .. } => Some(problem),
            Image::Known(ImageCard {
                verdict: Verdict::Refused(problem),
                ..
            }) => Some(problem),
            _ => None,
        }
    }

    /// The name that the person gave to a key, by its hash.
    pub fn key_name(&self, hash: &str) -> Option<&str> {
        let key = self
            .keys
            .iter()
            .find(|key| key.card.as_ref().is_some_and(|card| card.hash == hash))?;
        Some(&key.key.name)
    }

    fn board_mut(&mut self, id: BoardId) -> Option<&mut Board> {
        self.boards.iter_mut().find(|board| board.id == id)
    }

    fn say(&mut self, at: &str, text: String) {
        if self.log.len() >= LOG_LINES {
            self.log.remove(0);
        }
        self.log.push(Line {
            at: at.to_owned(),
            text,
        });
    }

    /// Changes the page.
    pub fn apply(&mut self, action: Action) {
        match action {
            Action::Notice(at, notice) => self.notice(&at, notice),
            Action::Obstacle(problem) => self.obstacle = problem,
            Action::Hidden(hidden) => self.hidden = hidden,
            Action::Dragging(dragging) => self.dragging = dragging,
            Action::Reading(name) => self.image = Image::Reading(name),
            Action::Unreadable(file, problem) => self.image = Image::Refused { file, problem },
            Action::Forgotten => self.image = Image::None,
            Action::Keys(keys) => {
                self.key_problem = None;
                self.keys = keys
                    .into_iter()
                    .map(|key| {
                        let known = self.keys.iter().find(|old| old.key.pem == key.pem);
                        TrustedKey {
                            card: known.and_then(|old| old.card.clone()),
                            key,
                        }
                    })
                    .collect();
            }
            Action::KeyAdded(key) => {
                self.key_problem = None;
                self.keys.retain(|old| old.key.pem != key.pem);
                self.keys.push(TrustedKey { key, card: None });
            }
            Action::NotAKey(problem) => self.key_problem = Some(problem),
            Action::Development(development) => self.development = development,
            Action::Whole(whole) => self.whole = whole,
            Action::Demo(demo) => self.demo = Some(demo),
            Action::Behave(behaviour) => self.behaviour = behaviour,
            Action::Show(id) => self.shown = Some(id),
            Action::Started(id) => self.started(id),
            Action::Stopping(id) => {
                if let Some(Board {
                    run: Run::Running { stopping, .. },
                    ..
                }) = self.board_mut(id)
                {
                    *stopping = true;
                }
            }
            Action::Again(id) => self.again(id),
            Action::Dismissed => self.problem = None,
            Action::Failed(problem) => self.problem = Some(problem),
            Action::Stopped(problem) => self.stopped(&problem),
        }
    }

    /// Without the engine nothing goes on: no update may look as if it did.
    fn stopped(&mut self, problem: &Problem) {
        self.ready = false;
        self.problem = Some(problem.clone());
        for board in &mut self.boards {
            board.cable = Cable::Lost;
            if let Run::Running { progress, .. } = &board.run {
                board.run = Run::Ended {
                    outcome: Outcome::Failed(problem.clone()),
                    reached: progress.phase,
                };
            }
        }
    }

    fn started(&mut self, id: BoardId) {
        let total = self.known_image().map_or(0, |card| card.size);
        if let Some(board) = self.board_mut(id) {
            board.run = Run::Running {
                progress: Progress::at(Phase::Verify, total),
                stopping: false,
            };
        }
    }

    /// A board that is still there can be updated again; one that is gone makes room for the next.
    fn again(&mut self, id: BoardId) {
        let gone = self.board_mut(id).is_some_and(|board| {
            board.run = Run::Idle;
            board.cable == Cable::Lost
        });
        if gone {
            self.remove(id);
        }
    }

    fn remove(&mut self, id: BoardId) {
        self.boards.retain(|board| board.id != id);
        if self.shown == Some(id) {
            self.shown = self.boards.last().map(|board| board.id);
        }
    }

    fn notice(&mut self, at: &str, notice: Notice) {
        match notice {
            Notice::Ready => self.ready = true,
            Notice::Image(Ok(card)) => {
                // The person may have put the image away while it was being read.
                if !matches!(self.image, Image::None) {
                    self.image = Image::Known(card);
                }
            }
            Notice::Image(Err(problem)) => {
                let file = match &self.image {
                    Image::None => return,
                    Image::Reading(file) | Image::Refused { file, .. } => file.clone(),
                    Image::Known(card) => card.file.clone(),
                };
                self.image = Image::Refused { file, problem };
            }
            Notice::Keys(cards) => {
                for (key, card) in self.keys.iter_mut().zip(cards) {
                    match card {
                        Ok(card) => key.card = Some(card),
                        Err(problem) => self.key_problem = Some(problem),
                    }
                }
            }
            Notice::Kept(kept) => self.kept = kept,
            Notice::Ports(problem) => self.problem = problem,
            Notice::Appeared { board, via } => {
                self.problem = None;
                self.boards.push(Board {
                    id: board,
                    via,
                    cable: Cable::Connected,
                    card: None,
                    plan: None,
                    run: Run::Idle,
                });
                // A board that works isn't pushed aside by the next one.
                let keep = self
                    .board()
                    .is_some_and(|shown| matches!(shown.run, Run::Running { .. }));
                if !keep {
                    self.shown = Some(board);
                }
            }
            Notice::Board(id, card) => {
                if let Some(board) = self.board_mut(id) {
                    board.card = Some(*card);
                }
            }
            Notice::Plan(id, plan) => {
                if let Some(board) = self.board_mut(id) {
                    board.plan = plan;
                }
            }
            Notice::Cable(id, cable) => {
                if let Some(board) = self.board_mut(id) {
                    board.cable = cable;
                }
            }
            Notice::Progress(id, progress) => {
                if let Some(board) = self.board_mut(id) {
                    let stopping = matches!(board.run, Run::Running { stopping: true, .. });
                    board.run = Run::Running { progress, stopping };
                }
            }
            Notice::Outcome(id, outcome) => {
                if let Some(board) = self.board_mut(id) {
                    let reached = match (&outcome, &board.run) {
                        (Outcome::Confirmed { .. }, _) => Phase::Confirmed,
                        (_, Run::Running { progress, .. }) => progress.phase,
                        _ => Phase::Verify,
                    };
                    board.run = Run::Ended { outcome, reached };
                }
            }
            Notice::Gone(id) => self.remove(id),
            Notice::Log(_, text) => self.say(at, text),
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
