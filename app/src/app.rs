//! The page at work: the reducer, the worker, and the window's events.

use std::cell::Cell;
use std::rc::Rc;

use bootlace_engine::read_keys;
use bootlace_engine::words::page as words;
use bootlace_image::PublicKey;
use bootlace_page_parts::window::{self, Awake};
use gloo::events::{EventListener, EventListenerOptions};
use gloo::timers::callback::Timeout;
use js_sys::{ArrayBuffer, Uint8Array};
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::spawn_local;
use web_sys::{DragEvent, Event, File, HtmlElement};
use yew::prelude::*;

use crate::messages::{ChoiceId, Command, PageError, Problem, Simulation};
use crate::new_board;
use crate::platform;
use crate::state::{Action, Chooser, NewBoard, State, TrustedKey};
use crate::view::{Intent, Page, title};
use crate::worker_handle::WorkerHandle;
use crate::{web_serial, web_usb};

/// The root component.
#[component]
pub(crate) fn App() -> Html {
    let state = use_reducer(State::default);
    let worker = use_memo((), {
        let dispatch = state.dispatcher();
        move |()| {
            WorkerHandle::start(move |said| {
                dispatch.dispatch(match said {
                    Ok(notice) => Action::Notice(platform::clock(), notice),
                    Err(problem) => Action::Stopped(problem),
                });
            })
        }
    });
    let choices = use_memo((), |()| Cell::new(0));
    let there = use_memo((), |()| Cell::new(0));
    there.set(state.boards.iter().filter(|entry| entry.board.is_some()).count());
    let hands = Hands {
        state: state.dispatcher(),
        worker: worker.clone(),
        choices,
        there,
    };

    use_effect_with(state.ready, {
        let hands = hands.clone();
        move |ready| {
            if *ready {
                hands.worker.is_ready();
            }
        }
    });
    use_effect_with((), {
        let hands = hands.clone();
        move |()| hands.begin()
    });
    // Whoever removes a key or ticks the box gets a new verdict; the worker has the keys before it has an image.
    use_effect_with(state.trust(), {
        let worker = worker.clone();
        move |trust| worker.send(Command::Trust(trust.clone()))
    });
    // While a board is updated, or the page is not seen, a file that is dropped changes nothing of what is seen.
    let away = state.new_board == NewBoard::Open;
    let watching = away || state.entry().is_some_and(|entry| entry.is_busy());
    use_effect_with(watching, {
        let hands = hands.clone();
        move |watching| {
            let listeners = window_events(&hands, *watching);
            move || drop(listeners)
        }
    });
    use_effect_with((state.is_busy(), state.hidden), |(busy, hidden)| {
        // A wake lock ends when the tab is hidden: it is asked for again when it shows.
        let awake = (*busy && !*hidden).then(Awake::new);
        let guard = busy.then(|| window::ask_before_leaving(words::labels().leaving));
        move || drop((awake, guard))
    });

    // In a tab that is not looked at, the title is all that can be seen.
    use_effect_with((title(&state), away), |(title, away)| {
        if let Some(document) = window::document().filter(|_| !away) {
            document.set_title(title);
        }
    });

    let current = Rc::new((*state).clone());
    let on = {
        let current = current.clone();
        Callback::from(move |intent| hands.act(&current, intent))
    };
    html! { <Page state={current} {on} /> }
}

/// What acts on what a person wants.
#[derive(Clone)]
struct Hands {
    state: UseReducerDispatcher<State>,
    worker: Rc<WorkerHandle>,
    /// How many files were chosen so far.
    choices: Rc<Cell<u32>>,
    /// How many boards have said who they are.
    there: Rc<Cell<usize>>,
}

impl Hands {
    fn begin(&self) {
        let choosers = platform::choosers();
        let allowed = choosers.is_ok();
        self.state.dispatch(Action::Choosers(choosers));
        self.state.dispatch(Action::Keys(platform::keys()));
        if allowed {
            self.worker.send(Command::Ports { asked: false });
        }
        let state = self.state.clone();
        spawn_local(async move {
            if let Some(demo) = platform::demo().await {
                state.dispatch(Action::Demo(demo));
            }
        });
    }

    fn act(&self, state: &State, intent: Intent) {
        match intent {
            Intent::Open(file) => self.open(file),
            Intent::AddKey(file) => self.add_key(state.keys.to_vec(), file),
            Intent::OpenDemo(at) => self.open_demo(state, at),
            Intent::NameKey(key, name) => {
                let mut keys = state.keys.to_vec();
                if let Some(known) = keys.iter_mut().find(|known| known.key == key) {
                    known.name = name;
                    platform::keep_key(known);
                }
                self.state.dispatch(Action::Keys(keys));
            }
            Intent::RemoveKey(key) => {
                platform::forget_key(&key);
                let kept = state.keys.iter().filter(|known| known.key != key);
                self.state.dispatch(Action::Keys(kept.cloned().collect()));
            }
            Intent::Development(taken) => self.state.dispatch(Action::Development(taken)),
            Intent::Whole(whole) => {
                self.state.dispatch(Action::Whole(whole));
                self.worker.send(Command::Whole(whole));
            }
            Intent::DeleteSaved(hash) => self.worker.send(Command::DeleteSaved(hash)),
            Intent::Connect(chooser) => self.connect(chooser),
            Intent::NewBoard => self.new_board(state.choosers.first()),
            Intent::Behave(behaviour) => self.state.dispatch(Action::Behave(behaviour)),
            Intent::Simulate => self.simulate(state),
            Intent::Show(id) => self.state.dispatch(Action::Show(id)),
            Intent::Release(id) => self.worker.send(Command::Release(id)),
            Intent::Refresh(id) => self.worker.send(Command::Refresh(id)),
            Intent::Update(id) => {
                self.state.dispatch(Action::Started(id));
                self.worker.send(Command::Update(id));
            }
            Intent::Cancel(id) => {
                self.state.dispatch(Action::Cancelling(id));
                self.worker.send(Command::Cancel(id));
            }
            Intent::Button(id) => self.worker.send(Command::Button(id)),
            Intent::Again(id) => {
                self.state.dispatch(Action::Again(id));
                self.worker.send(Command::Refresh(id));
            }
            Intent::Dismiss => self.state.dispatch(Action::Dismissed),
            Intent::CopyLog => {
                let lines: Vec<String> = state
                    .log
                    .iter()
                    .map(|line| format!("{} {}", line.at, words::log(&line.fact)))
                    .collect();
                platform::copy(&lines.join("\n"));
            }
        }
    }

    /// Another file is chosen, whatever comes of that: the one before is no longer what boards are brought to.
    fn choose(&self, name: &str) -> ChoiceId {
        self.choices.set(self.choices.get() + 1);
        let choice = ChoiceId(self.choices.get());
        self.state.dispatch(Action::Reading(choice, name.to_owned()));
        self.worker.send(Command::PutAway);
        choice
    }

    /// A file that was chosen as firmware. A key that is chosen here is not trusted for that.
    fn open(&self, file: File) {
        let (hands, name) = (self.clone(), file.name());
        let choice = self.choose(&name);
        spawn_local(async move {
            let read = window::read(&file).await;
            hands.examine(choice, name, read);
        });
    }

    fn open_demo(&self, state: &State, at: usize) {
        let Some(image) = state.demo.as_ref().and_then(|demo| demo.images.get(at)) else {
            return;
        };
        let (hands, name) = (self.clone(), image.file.clone());
        let choice = self.choose(&name);
        spawn_local(async move {
            let read = window::fetch(&format!("demo/{name}")).await;
            hands.examine(choice, name, read);
        });
    }

    fn examine(&self, choice: ChoiceId, name: String, read: Result<ArrayBuffer, PageError>) {
        // Another one was chosen meanwhile.
        if choice.0 != self.choices.get() {
            return;
        }
        match read {
            Ok(bytes) => self
                .worker
                .hand_over(Command::Examine { choice, name }, Some(bytes)),
            Err(error) => self.state.dispatch(Action::Unreadable(choice, error.into())),
        }
    }

    /// A file that was chosen as a key, by the button for that.
    fn add_key(&self, keys: Vec<TrustedKey>, file: File) {
        let state = self.state.clone();
        spawn_local(async move {
            let action = match window::read(&file).await {
                Ok(bytes) => match read_keys(&Uint8Array::new(&bytes).to_vec()) {
                    Ok(read) => {
                        let added = TrustedKey::of_file(&file.name(), &read, &platform::today());
                        added.iter().for_each(platform::keep_key);
                        let others = keys.into_iter().filter(|known| !read.contains(&known.key));
                        Action::Keys(others.chain(added).collect())
                    }
                    Err(error) => Action::NotAKey(Problem::Key(error)),
                },
                Err(error) => Action::NotAKey(error.into()),
            };
            state.dispatch(action);
        });
    }

    fn connect(&self, chooser: Chooser) {
        let hands = self.clone();
        spawn_local(async move {
            let chosen = match chooser {
                Chooser::Serial => web_serial::ask().await,
                Chooser::Usb => web_usb::ask().await,
            };
            match chosen {
                Ok(()) => hands.worker.send(Command::Ports { asked: true }),
                Err(error) => hands.state.dispatch(Action::Failed(error.into())),
            }
        });
    }

    /// Draws “New board” in place of the page until the person comes back from there; then a board that has its companion is
    /// connected.
    fn new_board(&self, chooser: Chooser) {
        let (hands, before) = (self.clone(), self.there.get());
        self.state.dispatch(Action::NewBoard(NewBoard::Loading));
        self.worker.send(Command::LeaveSerial(true));
        spawn_local(async move {
            let back = hands.clone();
            let opened = new_board::open(move |connect| {
                back.state.dispatch(Action::NewBoard(NewBoard::Closed));
                back.worker.send(Command::LeaveSerial(false));
                back.worker.send(Command::Ports { asked: false });
                // One that this page was allowed to use before has connected by itself.
                if connect && back.there.get() <= before {
                    back.connect(chooser);
                }
                focus_later("board-title");
            });
            let now = match opened.await {
                Some(()) => NewBoard::Open,
                None => {
                    hands.worker.send(Command::LeaveSerial(false));
                    hands.state.dispatch(Action::Failed(PageError::NoNewBoard.into()));
                    NewBoard::Closed
                }
            };
            hands.state.dispatch(Action::NewBoard(now));
        });
    }

    fn simulate(&self, state: &State) {
        let demo = state.demo.as_deref().cloned().unwrap_or_default();
        let own = state.keys.iter().map(|known| known.key);
        let keys = demo.key.into_iter().chain(own);
        // RSA is for boards that run MCUboot.
        let keys: Vec<PublicKey> = keys
            .filter(|key| key.algorithm().is_checked_by_companion())
            .collect();
        if keys.is_empty() {
            self.state.dispatch(Action::Failed(PageError::NoDemoKey.into()));
            return;
        }
        let name = match demo.board.is_empty() {
            true => words::labels().simulated_board.to_owned(),
            false => demo.board,
        };
        let simulation = Simulation {
            name,
            behaviour: state.behaviour,
            keys,
        };
        let hands = self.clone();
        spawn_local(async move {
            let installed = match demo.images.first() {
                Some(image) => window::fetch(&format!("demo/{}", image.file)).await.ok(),
                None => None,
            };
            hands.worker.hand_over(Command::Simulate(simulation), installed);
        });
    }
}

/// Brings the focus to the element of this id, once it is shown.
fn focus_later(id: &'static str) {
    Timeout::new(0, move || {
        let element = window::document().and_then(|document| document.get_element_by_id(id));
        if let Some(element) = element.and_then(|element| element.dyn_into::<HtmlElement>().ok()) {
            _ = element.focus();
        }
    })
    .forget();
}

/// Files are dropped anywhere, unless a board is being updated; a hidden tab is noticed.
fn window_events(hands: &Hands, watching: bool) -> Vec<EventListener> {
    let window = window::window();
    let document = window::document();
    let options = EventListenerOptions::enable_prevent_default();
    let on = |name: &'static str, heard: Box<dyn Fn(&DragEvent)>| {
        EventListener::new_with_options(&window, name, options, move |event: &Event| {
            if let Some(event) = event.dyn_ref::<DragEvent>() {
                heard(event);
            }
        })
    };
    let files = |event: &DragEvent| event.data_transfer().and_then(|data| data.files());
    let (over, leave, dropped) = (hands.clone(), hands.clone(), hands.clone());
    let mut listeners = vec![
        on(
            "dragover",
            Box::new(move |event| {
                event.prevent_default();
                over.state.dispatch(Action::Dragging(!watching));
            }),
        ),
        on(
            "dragleave",
            Box::new(move |event| {
                // Only when it leaves the window: between two elements there is a related target.
                if event.related_target().is_none() {
                    leave.state.dispatch(Action::Dragging(false));
                }
            }),
        ),
        on(
            "drop",
            Box::new(move |event| {
                event.prevent_default();
                dropped.state.dispatch(Action::Dragging(false));
                if let Some(file) = files(event).and_then(|files| files.get(0)).filter(|_| !watching) {
                    dropped.open(file);
                }
            }),
        ),
    ];
    if let Some(document) = document {
        let hands = hands.clone();
        let seen = document.clone();
        listeners.push(EventListener::new(&document, "visibilitychange", move |_| {
            hands.state.dispatch(Action::Hidden(seen.hidden()));
        }));
    }
    listeners
}

/// Draws the page into its place of the document.
pub(crate) fn start() {
    let place = window::document().and_then(|document| document.get_element_by_id("page"));
    match place {
        Some(place) => yew::Renderer::<App>::with_root(place).render(),
        None => yew::Renderer::<App>::new().render(),
    };
}
