//! What is shown, and how it changes: no browser types, so that all of it is tested on the host.

mod parts;
#[cfg(test)]
mod tests;

use std::rc::Rc;

use bootlace_engine::words::page::new_board::{self as words, System, Trouble};
use bootlace_image::PublicKey;
use bootlace_install::{Board, Ended, News, Way, Work};

pub use parts::{
    Application, Change, Check, Companion, Done, Held, List, MadeKey, NamedKey, Offers, Run, SavedFile, Step,
};

/// Everything that is shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// The companions that the page has.
    pub list: List,
    /// What the browser offers.
    pub offers: Offers,
    /// The system that it runs on.
    pub system: System,
    /// The step that is open.
    pub step: Step,
    /// The chosen board.
    pub board: Option<&'static Board>,
    /// The keys whose firmware it will run.
    pub keys: Vec<NamedKey>,
    /// The key that is made here.
    pub made: Option<MadeKey>,
    /// What people will call the board; nothing: what its makers do.
    pub name: String,
    /// Vendor and class as the person typed them.
    pub ids: [String; 2],
    /// What the board will start.
    pub application: Option<Application>,
    /// The way to its loader that was last gone.
    pub way: Option<Way>,
    /// What the installation will do.
    pub change: Change,
    /// The installation.
    pub run: Run,
    /// What went wrong.
    pub trouble: Option<Rc<Trouble>>,
}

/// What can change it.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "one is handled at a time")]
pub enum Action {
    /// What companions the page has.
    Listed(List),
    /// What the browser offers, and its system.
    Offers(Offers, System),
    /// This board was chosen.
    Board(&'static Board),
    /// Back to a step that was done.
    Change(Step),
    /// The companion is being made.
    Making,
    /// It was made: on to the board.
    Continue,
    /// Keys of a file.
    Keys(Vec<NamedKey>),
    /// Not this key.
    RemoveKey(usize),
    /// A key is being made.
    MakingKey,
    /// It was made, and its private half will be in a file of this name.
    Made(String, PublicKey),
    /// Its private half went into a file.
    PrivateSaved(SavedFile),
    /// The person says that the file is there, or not.
    PrivateKept(bool),
    /// A name for the board.
    Name(String),
    /// Vendor (0) or class (1).
    Id(usize, String),
    /// What the board will start.
    Application(Option<Application>),
    /// The loader is looked for by this way.
    Opening(Way),
    /// What an installation will do.
    Planned(Change),
    /// The installation says.
    News(News),
    /// This is done now.
    Doing(&'static str),
    /// So many bytes of so many are.
    Progress(u32, u32),
    /// The way does not ask the board itself: this is known of what it holds.
    Known(Held),
    /// What the board held is in a file.
    BeforeSaved(SavedFile),
    /// The person does not need what the board holds, or does.
    Discard(bool),
    /// The flash may be changed.
    GoOn,
    /// Cancelling was asked for.
    Cancelling,
    /// The file goes onto the drive.
    Writing,
    /// It is over.
    Done(Done),
    /// A file could not be written; nothing else changes.
    Unsaved(Trouble),
    /// It did not work.
    Failed(Trouble),
    /// Begin again with the board's connection.
    Again,
    /// The next board, with the same keys.
    Another,
}

impl State {
    /// Whether the flash is being changed: leaving would break that off.
    pub fn is_changing(&self) -> bool {
        matches!(self.run, Run::Changing { .. } | Run::Writing)
    }

    /// Whether a loader is open, or about to be.
    pub fn is_running(&self) -> bool {
        !matches!(self.run, Run::None | Run::Done(_))
    }

    /// What the board's makers call it.
    pub fn board_title(&self) -> &'static str {
        self.board.map_or("", |board| board.title)
    }

    /// What people will call the board.
    pub fn board_name(&self) -> &str {
        match self.name.trim() {
            "" => self.board_title(),
            name => name,
        }
    }

    /// Whether there is a key, and the one that is made here is safe.
    pub fn has_key(&self) -> bool {
        !self.keys.is_empty() && self.made.as_ref().is_none_or(MadeKey::is_kept)
    }

    /// Whether the companion can be made of what was given.
    pub fn can_make(&self) -> bool {
        let fit = |id: &String| words::unfit_uuid(id).is_none();
        self.has_key() && words::unfit_name(self.name.trim()).is_none() && self.ids.iter().all(fit)
    }

    /// The companion for a board.
    pub fn companion(&self, board: &Board) -> Option<&Companion> {
        let List::There(companions) = &self.list else {
            return None;
        };
        companions.iter().find(|companion| companion.board == board)
    }

    /// The keys.
    pub fn public_keys(&self) -> Vec<PublicKey> {
        self.keys.iter().map(|named| named.key).collect()
    }

    /// Changes what is shown.
    pub fn apply(&mut self, action: Action) {
        match action {
            Action::Listed(list) => self.list = list,
            Action::Offers(offers, system) => (self.offers, self.system) = (offers, system),
            Action::Board(board) => {
                self.board = Some(board);
                self.step = Step::Key;
            }
            Action::Change(step) => {
                if !self.is_running() && step < self.step {
                    self.stop();
                    self.step = step;
                }
            }
            Action::Making => {
                if self.can_make() {
                    self.trouble = None;
                    self.run = Run::Making;
                }
            }
            Action::Continue => {
                if self.run == Run::Making {
                    self.stop();
                    self.step = Step::Connect;
                }
            }
            Action::Keys(keys) => {
                self.trouble = None;
                self.keys
                    .retain(|known| keys.iter().all(|new| new.key != known.key));
                self.keys.extend(keys);
            }
            Action::RemoveKey(at) => {
                if at < self.keys.len() {
                    let gone = self.keys.remove(at).key;
                    self.made.take_if(|made| made.public == Some(gone));
                }
            }
            Action::MakingKey => {
                self.trouble = None;
                self.made = Some(MadeKey::default());
            }
            Action::Made(file, key) => {
                if let Some(made) = &mut self.made {
                    made.public = Some(key);
                    self.keys.push(NamedKey { file, key });
                }
            }
            Action::PrivateSaved(saved) => {
                self.trouble = None;
                if let Some(made) = &mut self.made {
                    made.saved = Some(saved);
                }
            }
            Action::PrivateKept(kept) => {
                if let Some(made) = &mut self.made {
                    made.kept = kept;
                }
            }
            Action::Name(name) => self.name = name,
            Action::Id(at, text) => {
                if let Some(id) = self.ids.get_mut(at) {
                    *id = text;
                }
            }
            Action::Application(application) => {
                self.trouble = None;
                self.application = application;
            }
            Action::Opening(way) => {
                self.trouble = None;
                self.way = Some(way);
                self.run = Run::Opening;
            }
            Action::Planned(change) => self.change = change,
            Action::News(news) => self.news(news),
            Action::Doing(now) => {
                if let Run::Changing { doing, progress, .. } = &mut self.run {
                    (*doing, *progress) = (now, None);
                }
            }
            Action::Progress(done, total) => {
                if let Run::Reading(progress) | Run::Changing { progress, .. } = &mut self.run {
                    *progress = Some((done, total));
                }
            }
            Action::Known(held) => {
                self.step = Step::Check;
                self.run = Run::Check(Check::new(held));
            }
            Action::BeforeSaved(saved) => {
                if let Run::Check(check) = &mut self.run {
                    check.saved = Some(saved);
                }
            }
            Action::Discard(discard) => {
                if let Run::Check(check) = &mut self.run {
                    check.discard = discard;
                }
            }
            Action::GoOn => {
                self.step = Step::Install;
                self.run = Run::Changing {
                    doing: words::work(Work::Erasing),
                    progress: None,
                    cancelling: false,
                };
            }
            Action::Cancelling => {
                if let Run::Changing { cancelling, .. } = &mut self.run {
                    *cancelling = true;
                }
            }
            Action::Writing => {
                self.step = Step::Install;
                self.run = Run::Writing;
            }
            Action::Done(done) => {
                self.trouble = None;
                self.step = Step::FirstStart;
                self.run = Run::Done(done);
            }
            Action::Unsaved(trouble) => self.trouble = Some(Rc::new(trouble)),
            Action::Failed(trouble) => self.failed(trouble),
            Action::Again => {
                self.stop();
                self.step = self.step.min(Step::Connect);
            }
            Action::Another => {
                self.stop();
                self.name.clear();
                self.step = Step::Board;
            }
        }
    }

    fn stop(&mut self) {
        self.run = Run::None;
        self.trouble = None;
    }

    /// What fails while a companion is chosen stays in that step; what fails at the board leads back to its connection.
    fn failed(&mut self, mut trouble: Trouble) {
        self.stop();
        // Before there is a board, no word about what became of it.
        trouble.sentence.unharmed &= self.step >= Step::Connect;
        self.made.take_if(|made| made.public.is_none());
        self.step = self.step.min(Step::Connect);
        self.trouble = Some(Rc::new(trouble));
    }

    fn news(&mut self, news: News) {
        match (news, &mut self.run) {
            // It was closed meanwhile.
            (_, Run::None | Run::Done(_)) => {}
            (News::Work(Work::Beginning | Work::Reading), _) => {
                self.step = Step::Check;
                self.run = Run::Reading(None);
            }
            (News::Progress { done, total }, _) => self.apply(Action::Progress(done, total)),
            (News::Before(parts), _) => {
                self.run = Run::Check(Check::new(Held::of(parts)));
            }
            (News::Work(work), Run::Changing { .. }) => self.apply(Action::Doing(words::work(work))),
            // What comes next is told before the person has decided.
            (News::Work(_), _) => {}
            (News::Ended(ended), _) => self.ended(&ended),
        }
    }

    fn ended(&mut self, ended: &Ended) {
        let (Some(board), Some(way)) = (self.board, self.way) else {
            return;
        };
        match words::ended(board, way, ended) {
            None => self.apply(Action::Done(Done::ReadBack)),
            // What the person asked for is no trouble where nothing came of it.
            Some(_) if *ended == (Ended::Cancelled { changed: false }) => self.apply(Action::Again),
            Some(sentence) => self.failed(sentence.into()),
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
