//! What acts on what a person wants.

use std::cell::RefCell;
use std::rc::Rc;

use bootlace_engine::read_keys;
use bootlace_engine::words::page::new_board::{self as words, Trouble};
use bootlace_engine::words::page::{PageError, Problem, problem};
use bootlace_install::{Board, FlashPlan, Format, Part, Way};
use bootlace_nordic_dfu::{self as nordic, Package, Target};
use bootlace_page_parts::window;
use gloo::timers::future::TimeoutFuture;
use js_sys::Uint8Array;
use wasm_bindgen_futures::spawn_local;
use web_sys::File;
use yew::prelude::*;

use crate::browser::drive::{self, Drive, NoDrive};
use crate::browser::files::{self, Unsaved};
use crate::browser::key_pair::{self, KeyPair};
use crate::browser::{companions, offers, system};
use crate::making;
use crate::run::{self, Link, Order, Orders};
use crate::state::{Action, Done, Held, List, NamedKey, Run, SavedFile, State};
use crate::view::Intent;

/// How long until the list of companions is asked for again, in milliseconds.
const AGAIN_MILLIS: u32 = 3000;

/// Names of a new key's files: as imgtool's and `bootlace key new`'s.
const PRIVATE: &str = "signing-key.pem";
const PUBLIC: &str = "signing-key.pub.pem";

/// What acts.
#[derive(Clone)]
pub(crate) struct Hands {
    state: UseReducerDispatcher<State>,
    closed: Callback<bool>,
    kept: Rc<RefCell<Kept>>,
}

/// An installation by a way that does not read.
enum Pending {
    /// This file goes onto the drive.
    Drive(Drive, Vec<u8>),
    /// Nordic's bootloader is sent this.
    Nordic(&'static Board, Link, Package, Target),
}

/// What is not shown.
#[derive(Default)]
struct Kept {
    /// A key that was made here.
    pair: Option<KeyPair>,
    /// What the board's flash is to hold.
    plan: Option<FlashPlan>,
    /// To the installation that runs.
    orders: Option<Orders>,
    /// What waits for the person's word where the board itself does not ask.
    pending: Option<Pending>,
    /// How often connecting was begun or broken off: what belongs to an earlier time is out of date.
    attempt: u32,
    /// The screen is gone.
    closed: bool,
}

impl Hands {
    pub(crate) fn new(state: UseReducerDispatcher<State>, closed: Callback<bool>) -> Self {
        let hands = Hands {
            state,
            closed,
            kept: Rc::default(),
        };
        hands.tell(Action::Offers(offers(), system()));
        let looking = hands.clone();
        spawn_local(async move { looking.look_for_companions().await });
        hands
    }

    fn tell(&self, action: Action) {
        self.state.dispatch(action);
    }

    /// Until there are some: where the page is built just now, they come later.
    async fn look_for_companions(&self) {
        while !self.kept.borrow().closed {
            let list = companions::list().await;
            let found = list != List::Missing;
            self.tell(Action::Listed(list));
            if found {
                return;
            }
            TimeoutFuture::new(AGAIN_MILLIS).await;
        }
    }

    pub(crate) fn act(&self, state: &Rc<State>, intent: Intent) {
        let (hands, state) = (self.clone(), state.clone());
        match intent {
            Intent::Board(board) => self.tell(Action::Board(board)),
            Intent::Change(step) => self.tell(Action::Change(step)),
            Intent::Continue => {
                self.tell(Action::Making);
                spawn_local(async move {
                    hands.tell(match hands.plan(&state).await {
                        Ok(()) => Action::Continue,
                        Err(trouble) => Action::Failed(trouble),
                    });
                });
            }
            Intent::AddKeys(file) => spawn_local(async move { hands.add_keys(&state, file).await }),
            Intent::RemoveKey(at) => self.tell(Action::RemoveKey(at)),
            Intent::MakeKey => spawn_local(async move { hands.make_key().await }),
            Intent::SavePrivate => spawn_local(async move { hands.save_half(true).await }),
            Intent::PrivateKept(kept) => self.tell(Action::PrivateKept(kept)),
            Intent::SavePublic => spawn_local(async move { hands.save_half(false).await }),
            Intent::Name(name) => self.tell(Action::Name(name)),
            Intent::Id(at, text) => self.tell(Action::Id(at, text)),
            Intent::AddApplication(file) => {
                spawn_local(async move { hands.add_application(&state, file).await })
            }
            Intent::RemoveApplication => self.tell(Action::Application(None)),
            Intent::Connect(way) => {
                self.tell(Action::Opening(way));
                let attempt = self.next_attempt();
                spawn_local(async move {
                    let connected = hands.connect(&state, way, attempt).await;
                    if let Some(trouble) = connected.err().filter(|_| hands.is_at(attempt)) {
                        hands.tell(Action::Failed(trouble));
                    }
                });
            }
            Intent::Download => self.download(&state),
            Intent::SaveBefore => spawn_local(async move { hands.save_before(&state).await }),
            Intent::Discard(discard) => self.tell(Action::Discard(discard)),
            Intent::Install => self.install(),
            Intent::Cancel => self.cancel(),
            Intent::Another => self.tell(Action::Another),
            Intent::Close => self.close(false),
            Intent::ConnectBoard => self.close(true),
        }
    }

    fn close(&self, connect: bool) {
        self.cancel();
        self.kept.borrow_mut().closed = true;
        self.closed.emit(connect);
    }

    async fn add_keys(&self, state: &State, file: File) {
        let action = match window::read(&file).await {
            Ok(bytes) => match read_keys(&Uint8Array::new(&bytes).to_vec()) {
                Ok(keys) => {
                    let others = state.keys.iter().filter(|known| !keys.contains(&known.key));
                    match words::unfit_keys(&keys, others.count()) {
                        Some(sentence) => Action::Failed(sentence.into()),
                        None => Action::Keys(
                            keys.into_iter()
                                .map(|key| NamedKey {
                                    file: file.name(),
                                    key,
                                })
                                .collect(),
                        ),
                    }
                }
                Err(error) => Action::Failed(problem(&Problem::Key(error)).into()),
            },
            Err(error) => Action::Failed(page_trouble(error)),
        };
        self.tell(action);
    }

    async fn make_key(&self) {
        self.tell(Action::MakingKey);
        match key_pair::make().await {
            Ok(pair) => {
                self.tell(Action::Made(PUBLIC.into(), pair.key));
                self.kept.borrow_mut().pair = Some(pair);
            }
            Err(why) => self.tell(Action::Failed(words::no_key_made(why).into())),
        }
    }

    /// Saves a half of the key that was made here.
    async fn save_half(&self, private: bool) {
        let file = self.kept.borrow().pair.as_ref().map(|pair| match private {
            true => (PRIVATE, pair.private.clone()),
            false => (PUBLIC, pair.public.clone()),
        });
        let Some((name, text)) = file else { return };
        let saved = self.save(name, text.as_bytes()).await;
        if let Some(saved) = saved.filter(|_| private) {
            self.tell(Action::PrivateSaved(saved));
        }
    }

    async fn save(&self, name: &str, bytes: &[u8]) -> Option<SavedFile> {
        match files::save(name, bytes).await {
            Ok(saved) => Some(saved),
            Err(Unsaved::Cancelled) => None,
            Err(Unsaved::Failed(why)) => {
                self.tell(Action::Unsaved(words::not_saved(why).into()));
                None
            }
        }
    }

    async fn add_application(&self, state: &State, file: File) {
        let action = match window::read(&file).await {
            Ok(bytes) => {
                let bytes = Uint8Array::new(&bytes).to_vec();
                match making::application(&file.name(), bytes, &state.public_keys()) {
                    Ok(application) => Action::Application(Some(application)),
                    Err(error) => Action::Failed(words::unfit_application(&error).into()),
                }
            }
            Err(error) => Action::Failed(page_trouble(error)),
        };
        self.tell(action);
    }

    /// Makes the companion as the person wants it: what speaks against it is said before there is a board.
    async fn plan(&self, state: &State) -> Result<(), Trouble> {
        let Some(board) = state.board else { return Ok(()) };
        let companion = state.companion(board).ok_or_else(words::no_companions)?;
        let built = companions::load(companion).await;
        let built = built.map_err(|_| words::no_companions())?;
        if !making::is_listed(companion, &built) {
            return Err(words::altered_companion(board).into());
        }
        let plan = making::plan(state, board, built)?;
        self.tell(Action::Planned(making::change(board, &plan)));
        self.kept.borrow_mut().plan = Some(plan);
        Ok(())
    }

    async fn connect(&self, state: &State, way: Way, attempt: u32) -> Result<(), Trouble> {
        let plan = self.kept.borrow().plan.clone();
        let Some((board, plan)) = state.board.zip(plan) else {
            return Ok(());
        };
        match way {
            Way::Uf2 => {
                // First, while the click counts.
                let drive = drive::choose(board).await.map_err(|error| match error {
                    NoDrive::NotChosen => words::no_drive_chosen(),
                    NoDrive::Another(name, other) => words::other_drive(&name, board, other),
                })?;
                let current = drive.current().await;
                if !self.is_at(attempt) {
                    return Ok(());
                }
                let parts = current.and_then(|current| bootlace_install::held(&current, &plan).ok());
                let file = board.file(&plan, board.own_format()).unwrap_or_default();
                self.kept.borrow_mut().pending = Some(Pending::Drive(drive, file));
                self.tell(Action::Known(parts.map_or(Held::Unread, Held::of)));
                Ok(())
            }
            _ => {
                let link = run::open(way, board, state.system).await?;
                if !self.is_at(attempt) {
                    link.close().await;
                    return Ok(());
                }
                if let Some((target, package)) = board.nordic().zip(board.package(&plan)) {
                    let pending = Pending::Nordic(board, link, package, target);
                    self.kept.borrow_mut().pending = Some(pending);
                    self.tell(Action::Known(Held::Unread));
                    return Ok(());
                }
                let tell = {
                    let hands = self.clone();
                    move |news| hands.tell(Action::News(news))
                };
                let orders = run::start(way, link, plan, tell);
                self.kept.borrow_mut().orders = Some(orders);
                Ok(())
            }
        }
    }

    fn next_attempt(&self) -> u32 {
        let mut kept = self.kept.borrow_mut();
        kept.attempt += 1;
        kept.attempt
    }

    /// Whether nothing was begun or broken off since.
    fn is_at(&self, attempt: u32) -> bool {
        self.kept.borrow().attempt == attempt
    }

    /// The file for the board's drive, or for a programmer, to be used by hand.
    fn download(&self, state: &State) {
        let kept = self.kept.borrow();
        let Some((board, plan)) = state.board.zip(kept.plan.as_ref()) else {
            return;
        };
        let format = match board.own_format() {
            Format::Uf2 => Format::Uf2,
            // It says where everything goes.
            _ => Format::Hex,
        };
        let name = format!("{}-companion.{}", board.name, format.extension());
        let file = board.file(plan, format).unwrap_or_default();
        self.tell(match files::download(&name, &file) {
            Ok(()) => Action::Done(Done::ByHand(name)),
            Err(error) => Action::Failed(words::not_saved(files::message(&error)).into()),
        });
    }

    async fn save_before(&self, state: &State) {
        let (Some(board), Run::Check(check)) = (state.board, &state.run) else {
            return;
        };
        let Held::Parts(parts) = &check.held else { return };
        let parts: Vec<Part> = parts.to_vec();
        let format = board.own_format();
        let file = board
            .restoring(parts)
            .and_then(|before| board.file(&before, format));
        let name = format!("{}-before.{}", board.name, format.extension());
        if let Some(saved) = self.save(&name, &file.unwrap_or_default()).await {
            self.tell(Action::BeforeSaved(saved));
        }
    }

    fn install(&self) {
        let pending = self.kept.borrow_mut().pending.take();
        match pending {
            Some(Pending::Drive(drive, file)) => {
                let hands = self.clone();
                self.tell(Action::Writing);
                spawn_local(async move {
                    hands.tell(match drive.put("companion.uf2", &file).await {
                        Ok(()) => Action::Done(Done::Drive),
                        Err(why) => Action::Failed(words::drive_failed(why).into()),
                    });
                });
            }
            Some(Pending::Nordic(board, link, package, target)) => {
                let hands = self.clone();
                self.tell(Action::GoOn);
                let orders = run::send(package, target, link, move |news| {
                    hands.tell(match news {
                        nordic::News::Stage(stage) => Action::Doing(words::nordic_stage(stage)),
                        nordic::News::Progress { done, total } => Action::Progress(done, total),
                        nordic::News::Ended(ended) => match words::nordic_ended(board, &ended) {
                            None => Action::Done(Done::Checked),
                            Some(sentence) => Action::Failed(sentence.into()),
                        },
                    });
                });
                self.kept.borrow_mut().orders = Some(orders);
            }
            None => {
                if let Some(orders) = &self.kept.borrow().orders {
                    self.tell(Action::GoOn);
                    _ = orders.unbounded_send(Order::GoOn);
                }
            }
        }
    }

    fn cancel(&self) {
        let mut kept = self.kept.borrow_mut();
        let asked = kept
            .orders
            .as_ref()
            .map(|orders| orders.unbounded_send(Order::Cancel));
        // What has ended by itself hears nothing.
        match asked {
            Some(Ok(())) => self.tell(Action::Cancelling),
            _ => {
                kept.attempt += 1;
                if let Some(Pending::Nordic(_, link, ..)) = kept.pending.take() {
                    spawn_local(async move { link.close().await });
                }
                self.tell(Action::Again);
            }
        }
    }
}

fn page_trouble(error: PageError) -> Trouble {
    problem(&Problem::Page(error)).into()
}
