//! What is drawn: components take the state and hand back what the person wants. Every state can be rendered to HTML on
//! the host.

mod board;
mod ended;
mod firmware;
mod focus;
mod history;
mod intent;
mod kept;
mod keys;
mod lace;
mod log;
mod problem;
mod slots;
mod update;

use bootlace_engine::words::page as words;
use bootlace_page_parts::inputs::emit;
use bootlace_page_parts::{icons, inputs, pieces};
use yew::prelude::*;

pub use intent::{Intent, Props};

use crate::messages::Cable;
use crate::state::{NewBoard, State, Work};

/// The whole page.
#[component]
pub fn Page(props: &Props) -> Html {
    focus::use_kept_focus(props);
    let state = &props.state;
    let labels = words::labels();
    let obstacle = state.obstacle.as_ref().filter(|_| state.boards.is_empty());
    html! {
        <div class={classes!("page", state.dragging.then_some("page--drop"))} hidden={state.new_board == NewBoard::Open}
            onkeydown={focus::escape(props)}>
            <header class="top">
                { pieces::brand() }
                <p class="top__line">{ labels.tagline }</p>
                { presence(state) }
            </header>
            <main class="bench">
                if let Some(problem) = obstacle {
                    <section class="bench__wide" aria-label={labels.obstacle}>
                        <problem::Card problem={problem.clone()} />
                    </section>
                }
                if let Some(problem) = &state.problem {
                    <section class="bench__wide" aria-label={labels.trouble}>
                        <problem::Card problem={problem.clone()} close={emit(&props.on, Intent::Dismiss)} />
                    </section>
                }
                <firmware::Firmware ..props.clone() />
                <board::BoardPanel ..props.clone() />
                <update::Update ..props.clone() />
                <log::Log log={state.log.clone()} on={&props.on} />
            </main>
            <footer class="foot">
                <p>{ labels.privacy }</p>
            </footer>
            // Always there, so that what changes in it is read out: what appears together with its text often is not.
            <p class="aloud" role="status" aria-live="polite" data-testid="aloud">{ aloud(state) }</p>
            <div class="drop" aria-hidden="true">
                <p class="drop__text">{ icons::file() }{ labels.drop_here }</p>
            </div>
        </div>
    }
}

/// What is read out of the board that is shown.
fn aloud(state: &State) -> String {
    let Some(entry) = state.entry() else {
        return String::new();
    };
    let lost = entry.cable == Cable::Lost;
    match &entry.work {
        Work::Idle => String::new(),
        Work::Running { running, .. } => {
            let counted = running
                .counted()
                .filter(|_| !lost)
                .map(|(done, total)| words::percent(done, total));
            match (
                running.attention.is_some() || lost,
                counted.and_then(words::spoken_percent),
            ) {
                (true, _) => [words::doing(running, lost), words::comfort(running, lost)].join(". "),
                (false, Some(percent)) => percent,
                (false, None) => words::doing(running, lost).to_owned(),
            }
        }
        Work::Ended { ending, .. } => {
            let told = words::end(ending, lost);
            [told.title, told.text].join(" ")
        }
    }
}

/// The tab's title: how far an update is, or how it ended.
pub fn title(state: &State) -> String {
    let news = state.entry().and_then(|entry| match &entry.work {
        Work::Idle => None,
        Work::Running { running, .. } => Some(words::news(running, entry.cable == Cable::Lost)),
        Work::Ended { ending, .. } => Some(words::end(ending, false).word.to_owned()),
    });
    let product = words::labels().product;
    news.map_or_else(|| product.to_owned(), |news| format!("{news} · {product}"))
}

/// How many boards there are, at a glance.
fn presence(state: &State) -> Html {
    let there = state
        .boards
        .iter()
        .filter(|entry| entry.cable != Cable::Lost)
        .count();
    html! {
        <p class={classes!("presence", (there > 0).then_some("presence--on"))} role="status">
            <span class="presence__dot"></span>{ words::board_count(state.ready, there) }
        </p>
    }
}
