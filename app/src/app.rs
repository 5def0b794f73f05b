//! The page at work: the reducer, the worker, and the window's events.

use std::rc::Rc;

use gloo::events::{EventListener, EventListenerOptions};
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::spawn_local;
use web_sys::{BeforeUnloadEvent, DragEvent, Event, File};
use yew::prelude::*;

use crate::engine::Engine;
use crate::messages::{Bench, Command, NamedKey};
use crate::platform::{self, Awake};
use crate::state::{Action, State};
use crate::view::{Intent, Page};
use crate::words::{self, PageError};
use crate::worker::serial;

/// The root component.
#[component]
pub(crate) fn App() -> Html {
    let state = use_reducer(State::default);
    let engine = use_memo((), {
        let dispatch = state.dispatcher();
        move |()| {
            Engine::start(move |said| {
                dispatch.dispatch(match said {
                    Ok(notice) => Action::Notice(platform::clock(), notice),
                    Err(problem) => Action::Stopped(problem),
                });
            })
        }
    });
    let hands = Hands {
        state: state.dispatcher(),
        engine: engine.clone(),
    };

    use_effect_with(state.ready, {
        let hands = hands.clone();
        move |ready| {
            if *ready {
                hands.engine.is_ready();
            }
        }
    });
    use_effect_with((), {
        let hands = hands.clone();
        move |()| hands.begin()
    });
    // Whoever removes a key or ticks the box gets a new verdict; the worker has the keys before it has an image.
    let keys: Vec<NamedKey> = state.keys.iter().map(|key| key.key.clone()).collect();
    use_effect_with((keys, state.development), {
        let engine = engine.clone();
        move |(keys, development)| {
            engine.send(Command::Trust {
                keys: keys.clone(),
                development: *development,
            });
        }
    });
    use_effect_with((), {
        let hands = hands.clone();
        move |()| {
            let listeners = window_events(&hands);
            move || drop(listeners)
        }
    });
    use_effect_with((state.is_busy(), state.hidden), |(busy, hidden)| {
        // A wake lock ends when the tab is hidden: it is asked for again when it shows.
        let awake = (*busy && !*hidden).then(Awake::new);
        let guard = busy.then(|| {
            let options = EventListenerOptions::enable_prevent_default();
            EventListener::new_with_options(&platform::window(), "beforeunload", options, |event: &Event| {
                event.prevent_default();
                if let Some(event) = event.dyn_ref::<BeforeUnloadEvent>() {
                    event.set_return_value("An update is running.");
                }
            })
        });
        move || drop((awake, guard))
    });

    // In a tab that is not looked at, the title is all that can be seen.
    use_effect_with(words::title(&state), |title| {
        if let Some(document) = platform::document() {
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
    engine: Rc<Engine>,
}

impl Hands {
    fn begin(&self) {
        let obstacle = platform::obstacle();
        let allowed = obstacle.is_none();
        self.state.dispatch(Action::Obstacle(obstacle));
        self.state.dispatch(Action::Keys(platform::keys()));
        if allowed {
            self.engine.send(Command::Ports { asked: false });
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
            Intent::Open(file) => self.open(file, false),
            Intent::AddKey(file) => self.open(file, true),
            Intent::OpenDemo(at) => self.open_demo(state, at),
            Intent::Forget => {
                self.state.dispatch(Action::Forgotten);
                self.engine.send(Command::Forget);
            }
            Intent::NameKey(pem, name) => {
                platform::keep_key(&NamedKey {
                    name: name.clone(),
                    pem: pem.clone(),
                });
                let keys = state.keys.iter().map(|key| key.key.clone()).map(|key| {
                    let name = if key.pem == pem { name.clone() } else { key.name };
                    NamedKey { name, pem: key.pem }
                });
                self.state.dispatch(Action::Keys(keys.collect()));
            }
            Intent::RemoveKey(pem) => {
                platform::drop_key(&pem);
                let kept = state
                    .keys
                    .iter()
                    .map(|key| key.key.clone())
                    .filter(|key| key.pem != pem);
                self.state.dispatch(Action::Keys(kept.collect()));
            }
            Intent::Development(taken) => self.state.dispatch(Action::Development(taken)),
            Intent::Whole(whole) => {
                self.state.dispatch(Action::Whole(whole));
                self.engine.send(Command::Whole(whole));
            }
            Intent::Drop(hash) => self.engine.send(Command::Drop(hash)),
            Intent::Connect => self.connect(),
            Intent::Behave(behaviour) => self.state.dispatch(Action::Behave(behaviour)),
            Intent::Simulate => self.simulate(state),
            Intent::Show(id) => self.state.dispatch(Action::Show(id)),
            Intent::Release(id) => self.engine.send(Command::Release(id)),
            Intent::Update(id) => {
                self.state.dispatch(Action::Started(id));
                self.engine.send(Command::Update(id));
            }
            Intent::Cancel(id) => {
                self.state.dispatch(Action::Stopping(id));
                self.engine.send(Command::Cancel(id));
            }
            Intent::Button(id) => self.engine.send(Command::Button(id)),
            Intent::Again(id) => {
                self.state.dispatch(Action::Again(id));
                self.engine.send(Command::Refresh(id));
            }
            Intent::Dismiss => self.state.dispatch(Action::Dismissed),
            Intent::CopyLog => {
                let lines: Vec<String> = state
                    .log
                    .iter()
                    .map(|line| format!("{} {}", line.at, line.text))
                    .collect();
                platform::copy(&lines.join("\n"));
            }
        }
    }

    /// A file is what it holds: PEM is a key, wherever it was dropped.
    fn open(&self, file: File, key: bool) {
        let hands = self.clone();
        let name = file.name();
        spawn_local(async move {
            match platform::read(&file).await {
                Ok(bytes) if key || platform::is_pem(&bytes) => hands.add_key(&name, &bytes),
                Ok(bytes) => hands.examine(name, bytes),
                Err(error) if key => hands.state.dispatch(Action::NotAKey(error.into())),
                Err(error) => hands.state.dispatch(Action::Unreadable(name, error.into())),
            }
        });
    }

    fn examine(&self, name: String, bytes: Vec<u8>) {
        self.state.dispatch(Action::Reading(name.clone()));
        self.engine.send(Command::Examine { name, bytes });
    }

    fn add_key(&self, file: &str, bytes: &[u8]) {
        let pem = std::str::from_utf8(bytes).ok().map(|text| text.trim().to_owned());
        match pem.map(|pem| bootlace_image::PublicKey::from_pem(&pem).map(|_| pem)) {
            Some(Ok(pem)) => {
                let name = file.strip_suffix(".pem").unwrap_or(file).to_owned();
                platform::keep_key(&NamedKey {
                    name: name.clone(),
                    pem: pem.clone(),
                });
                self.state.dispatch(Action::KeyAdded(NamedKey { name, pem }));
            }
            Some(Err(error)) => {
                let problem = crate::worker::cards::problem(bootlace_engine::words::key_error(&error));
                self.state.dispatch(Action::NotAKey(problem));
            }
            None => self.state.dispatch(Action::NotAKey(PageError::NotAKey.into())),
        }
    }

    fn open_demo(&self, state: &State, at: usize) {
        let Some(image) = state.demo.as_ref().and_then(|demo| demo.images.get(at)) else {
            return;
        };
        let (hands, name) = (self.clone(), image.file.clone());
        spawn_local(async move {
            match platform::fetch(&format!("demo/{name}")).await {
                Ok(bytes) => hands.examine(name, bytes),
                Err(error) => hands.state.dispatch(Action::Unreadable(name, error.into())),
            }
        });
    }

    fn connect(&self) {
        let hands = self.clone();
        spawn_local(async move {
            match serial::ask().await {
                Ok(()) => hands.engine.send(Command::Ports { asked: true }),
                Err(error) => hands.state.dispatch(Action::Failed(error.into())),
            }
        });
    }

    fn simulate(&self, state: &State) {
        let demo = state.demo.clone().unwrap_or_default();
        let own = state.keys.iter().map(|key| key.key.pem.clone());
        let keys: Vec<String> = Some(demo.key.clone())
            .filter(|key| !key.is_empty())
            .into_iter()
            .chain(own)
            .collect();
        if keys.is_empty() {
            self.state.dispatch(Action::Failed(PageError::NoDemoKey.into()));
            return;
        }
        let (hands, behaviour) = (self.clone(), state.behaviour);
        spawn_local(async move {
            let installed = match demo.installed.and_then(|at| demo.images.get(at)) {
                Some(image) => platform::fetch(&format!("demo/{}", image.file))
                    .await
                    .unwrap_or_default(),
                None => Vec::new(),
            };
            let name = if demo.board.is_empty() {
                "Simulated board".to_owned()
            } else {
                demo.board
            };
            hands.engine.send(Command::Simulate(Bench {
                name,
                behaviour,
                keys,
                installed,
            }));
        });
    }
}

/// Files are dropped anywhere; a hidden tab is noticed.
fn window_events(hands: &Hands) -> Vec<EventListener> {
    let window = platform::window();
    let document = platform::document();
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
                over.state.dispatch(Action::Dragging(true));
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
                if let Some(file) = files(event).and_then(|files| files.get(0)) {
                    dropped.open(file, false);
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

/// Draws the page into the document's body.
pub(crate) fn start() {
    yew::Renderer::<App>::new().render();
}
