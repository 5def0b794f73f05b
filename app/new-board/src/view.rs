//! What is drawn: components take the state and hand back what the person wants. Every state can be rendered to HTML on
//! the host.

mod bar;
mod board;
mod check;
mod connect;
mod install;
mod intent;
mod key;
mod pictures;

use bootlace_engine::words::page::new_board as words;
use bootlace_engine::words::page::spoken_percent;
use bootlace_page_parts::inputs::emit;
use bootlace_page_parts::{SentenceCard, icons, pieces};
use web_sys::HtmlElement;
use yew::prelude::*;

use bar::percent_of;
pub use intent::{Intent, Props};

use crate::state::{Done, Run, State, Step};

/// The whole screen.
#[component]
pub fn Screen(props: &Props) -> Html {
    let state = &props.state;
    let labels = words::labels();
    use_step_focus(state.step);
    html! {
        <div class="page">
            <header class="top">
                { pieces::brand() }
                <p class="top__line">{ labels.title }</p>
                <button class="quiet top__close" type="button" data-testid="close" disabled={state.is_changing()}
                    onclick={emit(&props.on, Intent::Close)}>{ icons::cross() }<span>{ labels.close }</span></button>
            </header>
            <main class="setup" aria-labelledby="setup-title">
                <h2 class="setup__title" id="setup-title" tabindex="-1">{ labels.title }</h2>
                <p class="setup__about">{ labels.about }</p>
                <ol class="steps">
                    { for Step::ALL.into_iter().zip(1..).map(|(step, number)| one(props, step, number)) }
                </ol>
            </main>
            // Always there, so that what changes in it is read out.
            <p class="aloud" role="status" aria-live="polite" data-testid="aloud">{ aloud(state) }</p>
        </div>
    }
}

/// Brings the focus to the title of a step that has just been opened.
#[hook]
fn use_step_focus(step: Step) {
    use_effect_with(step, |step| {
        let id = match step {
            Step::Board => "setup-title".to_owned(),
            step => format!("step-{}", *step as u32),
        };
        let document = web_sys::window().and_then(|window| window.document());
        let title = document.and_then(|document| document.get_element_by_id(&id));
        if let Some(title) = title {
            _ = wasm_bindgen::JsCast::unchecked_ref::<HtmlElement>(&title).focus();
            pieces::into_view(&title);
        }
    });
}

fn name(step: Step) -> &'static str {
    let labels = words::labels();
    match step {
        Step::Board => labels.board,
        Step::Key => labels.key,
        Step::Connect => labels.connect,
        Step::Check => labels.check,
        Step::Install => labels.install,
        Step::FirstStart => labels.first_start,
    }
}

/// A step: its title, and what it says or asks while it is open.
fn one(props: &Props, step: Step, number: u32) -> Html {
    let state = &props.state;
    let labels = words::labels();
    let is_open = step == state.step;
    let is_done = step < state.step;
    let class = match () {
        () if is_open => "step step--now",
        () if is_done => "step step--done",
        () => "step",
    };
    let title = name(step);
    // What is at the board can't be taken back one by one.
    let can_change = is_done && step < Step::Connect && state.run == Run::None;
    html! {
        <li {class} aria-current={is_open.then_some("step")} data-testid={is_open.then_some("step")}>
            <div class="step__head">
                <span class="eyelet" aria-hidden="true">{ if is_done { icons::check() } else { html! { number } } }</span>
                <h3 class="step__title" id={format!("step-{}", step as u32)} tabindex="-1">{ title }</h3>
                if is_done {
                    <p class="step__summary">{ summary(state, step) }</p>
                }
                if can_change {
                    <button class="quiet" type="button" aria-label={format!("{} {title}", labels.change)}
                        onclick={emit(&props.on, Intent::Change(step))}>{ labels.change }</button>
                }
            </div>
            if is_open {
                <div class="step__body">
                    if let Some(trouble) = &state.trouble {
                        <SentenceCard sentence={trouble.sentence.clone()} remedy={trouble.remedy.clone()} unharmed={labels.unharmed} />
                    }
                    { match step {
                        Step::Board => board::body(props),
                        Step::Key => key::body(props),
                        Step::Connect => connect::body(props),
                        Step::Check => check::body(props),
                        Step::Install => install::body(props),
                        Step::FirstStart => install::done(props),
                    } }
                </div>
            }
        </li>
    }
}

/// What was chosen in a step that is done.
fn summary(state: &State, step: Step) -> Html {
    match step {
        Step::Board => html! { state.board_title() },
        Step::Key => {
            let files: Vec<_> = state.keys.iter().map(|named| named.file.as_str()).collect();
            html! { words::measure(&files.join(", "), state.board_name(), state.application.as_ref().map(|it| it.file.as_str())) }
        }
        _ => Html::default(),
    }
}

/// What is read out.
fn aloud(state: &State) -> String {
    let labels = words::labels();
    match &state.run {
        Run::None | Run::Check(_) => String::new(),
        Run::Making => labels.companion_making.into(),
        Run::Opening => labels.opening.into(),
        Run::Reading(_) => labels.check_reading.into(),
        Run::Changing { doing, progress, .. } => {
            let spoken = percent_of(*progress).and_then(spoken_percent);
            spoken.unwrap_or_else(|| (*doing).into())
        }
        Run::Writing => labels.drive_writing.into(),
        Run::Done(Done::ByHand(_)) => labels.by_hand.into(),
        Run::Done(_) => labels.done.into(),
    }
}

/// The tab's title.
pub fn title(state: &State) -> String {
    let labels = words::labels();
    let news = match &state.run {
        Run::Changing { doing, progress, .. } => words::news(doing, percent_of(*progress)),
        Run::Writing => labels.drive_writing.into(),
        Run::Done(Done::ReadBack | Done::Checked | Done::Drive) => labels.done.into(),
        _ => labels.title.into(),
    };
    format!("{news} · {}", bootlace_engine::words::page::labels().product)
}
