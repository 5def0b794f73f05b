//! What is drawn: components take the state and hand back what the person wants. None of them knows a browser API,
//! so every state can be rendered to HTML on the host.

mod board;
mod firmware;
mod history;
mod icons;
mod kept;
mod log;
mod parts;
mod problem;
mod slots;
mod update;

use std::rc::Rc;

use web_sys::File;
use yew::prelude::*;

use crate::messages::{Behaviour, BoardId, Cable};
use crate::state::State;

/// What a person wants.
#[derive(Clone, Debug, PartialEq)]
pub enum Intent {
    /// Use this file as firmware, or as a key: whichever it is.
    Open(File),
    /// Use an image that came with the page.
    OpenDemo(usize),
    /// Put the firmware away.
    Forget,
    /// Add the public key in this file.
    AddKey(File),
    /// Give the key with this PEM text a name.
    NameKey(String, String),
    /// Remove the key with this PEM text.
    RemoveKey(String),
    /// Take MCUboot's development keys, or not.
    Development(bool),
    /// Send whole images, or patches where they do.
    Whole(bool),
    /// Forget the kept image with this hash; all of them without one.
    Drop(Option<String>),
    /// Choose a port.
    Connect,
    /// How the next simulated application behaves.
    Behave(Behaviour),
    /// Plug a simulated board in.
    Simulate,
    /// Show another board.
    Show(BoardId),
    /// Let the board go.
    Release(BoardId),
    /// Update it.
    Update(BoardId),
    /// Stop.
    Cancel(BoardId),
    /// Restart a simulated board with its button held.
    Button(BoardId),
    /// On to the next one.
    Again(BoardId),
    /// The problem was read.
    Dismiss,
    /// Copy the log.
    CopyLog,
}

/// Every component draws the whole state or a part of it.
#[derive(Clone, Properties)]
pub struct Props {
    /// What to show.
    pub state: Rc<State>,
    /// What the person wants.
    pub on: Callback<Intent>,
}

// A new state is a new allocation: comparing what they point at would cost more than drawing.
impl PartialEq for Props {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.state, &other.state) && self.on == other.on
    }
}

/// A callback for a button that always means the same.
fn emit<E>(on: &Callback<Intent>, intent: Intent) -> Callback<E> {
    let on = on.clone();
    Callback::from(move |_| on.emit(intent.clone()))
}

/// The whole page.
#[component]
pub fn Page(props: &Props) -> Html {
    let state = &props.state;
    let obstacle = state.obstacle.as_ref().filter(|_| state.boards.is_empty());
    html! {
        <div class={classes!("page", state.dragging.then_some("page--drop"))}>
            <header class="top">
                <a class="brand" href="." aria-label="Bootlace, start again">
                    { icons::logo() }
                    <span class="brand__name">{ "Bootlace" }</span>
                </a>
                <p class="top__line">{ "Firmware updates that prove themselves" }</p>
                { presence(state) }
            </header>
            <main class="bench">
                if let Some(problem) = obstacle {
                    <section class="bench__wide" aria-label="What this browser lacks">
                        <problem::Card problem={problem.clone()} />
                    </section>
                }
                if let Some(problem) = &state.problem {
                    <section class="bench__wide" aria-label="What went wrong">
                        <problem::Card problem={problem.clone()} close={emit(&props.on, Intent::Dismiss)} />
                    </section>
                }
                <firmware::Firmware ..props.clone() />
                <board::BoardPanel ..props.clone() />
                <update::Update ..props.clone() />
                <log::Log ..props.clone() />
            </main>
            <footer class="foot">
                <p>{ "Nothing leaves this computer: files, keys and ports stay between this page and the board." }</p>
            </footer>
            <div class="drop" aria-hidden="true">
                <p class="drop__text">{ icons::file() }{ "Drop the firmware image or a public key" }</p>
            </div>
        </div>
    }
}

/// How many boards there are, at a glance.
fn presence(state: &State) -> Html {
    let there = state
        .boards
        .iter()
        .filter(|board| board.cable != Cable::Lost)
        .count();
    let text = match (state.ready, there) {
        (false, _) => "Starting".to_owned(),
        (true, 0) => "No board".to_owned(),
        (true, 1) => "1 board".to_owned(),
        (true, count) => format!("{count} boards"),
    };
    html! {
        <p class={classes!("presence", (there > 0).then_some("presence--on"))} role="status">
            <span class="presence__dot"></span>{ text }
        </p>
    }
}
