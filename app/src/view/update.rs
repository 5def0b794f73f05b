//! The update: one button, the lace that shows how far it came, and how it ended.

use web_sys::{
    Element, HtmlElement, HtmlInputElement, ScrollBehavior, ScrollIntoViewOptions, ScrollLogicalPosition,
};
use yew::prelude::*;

use super::parts::eyelet;
use super::{Intent, Props, emit, icons, problem};
use crate::messages::{Cable, Outcome, Phase, Plan, Progress, Sends, Via, Way};
use crate::state::{Board, Run};
use crate::words;

/// The lower panel.
#[component]
pub(super) fn Update(props: &Props) -> Html {
    let state = &props.state;
    let board = state.board();
    let panel = use_node_ref();
    use_effect_with(state.is_watching(), {
        let panel = panel.clone();
        move |watching| {
            if let Some(panel) = panel.cast::<Element>().filter(|_| *watching) {
                // On a telephone the panels above fill the screen.
                let into = ScrollIntoViewOptions::new();
                into.set_block(ScrollLogicalPosition::Nearest);
                into.set_behavior(ScrollBehavior::Smooth);
                panel.scroll_into_view_with_scroll_into_view_options(&into);
            }
        }
    });
    let ready = board.is_some_and(|board| board.run == Run::Idle && can_start(board));
    html! {
        <section class={classes!("panel", "bench__wide", ready.then_some("panel--ready"))} ref={panel}
            aria-labelledby="update-title">
            <h2 class="panel__title" id="update-title">{ eyelet("3") }{ "Update" }</h2>
            { match board {
                Some(board) => match &board.run {
                    Run::Idle => idle(props, Some(board)),
                    Run::Running { progress, stopping } => running(props, board, progress, *stopping),
                    Run::Ended { outcome, reached } => html! { <Ended
                        outcome={outcome.clone()} reached={*reached} gone={board.cable == Cable::Lost}
                        again={emit(&props.on, Intent::Again(board.id))} /> },
                },
                None => idle(props, None),
            } }
        </section>
    }
}

fn idle(props: &Props, board: Option<&Board>) -> Html {
    let state = &props.state;
    let known = board.filter(|board| board.card.is_some());
    let plan = known.and_then(|board| board.plan.as_ref());
    let ready = known.is_some_and(can_start);
    let label = words::button(plan, state.known_image().is_some(), board.is_some());
    let (note, sends) = match plan {
        Some(Plan::Ready {
            way, stored, sends, ..
        }) => (note(*way, *stored), Some(sends)),
        _ => (None, None),
    };
    let onclick = known.map(|board| emit(&props.on, Intent::Update(board.id)));
    html! {
        <>
            if let Some(Plan::Refused(problem)) = plan {
                // What is wrong with the image itself stands beside it.
                if state.image_problem().is_some_and(|said| said.name == problem.name) {
                    <p class="go__note">{ "Nothing was sent. The board is unharmed." }</p>
                } else {
                    <problem::Card problem={problem.clone()} />
                }
            }
            <div class="go">
                <button class="primary" type="button" data-testid="update" disabled={!ready} {onclick}>
                    <span>{ label }</span>
                    if ready {
                        { icons::arrow() }
                    }
                </button>
                if ready && known.is_some_and(is_low) {
                    // The button stays: the board measures again, and may have been charged since.
                    <p class="go__note go__low">
                        { "The board refuses updates until its supply is up again; it measures when one begins." }
                    </p>
                }
                if let Some(note) = note {
                    <p class="go__note">{ note }</p>
                }
                if let Some(sends) = sends {
                    { what_is_sent(props, sends) }
                }
            </div>
        </>
    }
}

/// Patch or image, and the switch between them where there is a choice.
fn what_is_sent(props: &Props, sends: &Sends) -> Html {
    let on = props.on.clone();
    let switched = Callback::from(move |event: Event| {
        let input: Option<HtmlInputElement> = event.target_dyn_into();
        on.emit(Intent::Whole(input.is_some_and(|input| input.checked())));
    });
    let choice = matches!(sends, Sends::Making(_) | Sends::Patch(_) | Sends::WholeWanted);
    html! {
        <div class="go__sends">
            if let Some(said) = words::sends(sends) {
                <p class="go__note" data-testid="sends" data-sends={words::sends_name(sends)}>{ said }</p>
            }
            if choice {
                <label class="switch">
                    <input type="checkbox" role="switch" data-testid="whole" checked={props.state.whole} onchange={switched} />
                    <span>{ "Send the whole image instead" }</span>
                </label>
            }
        </div>
    }
}

/// The button can be pressed.
fn can_start(board: &Board) -> bool {
    let plan = matches!(&board.plan, Some(Plan::Ready { way, .. }) if *way != Way::Nothing);
    plan && board.card.is_some() && board.cable == Cable::Connected
}

/// The board said that its supply is too low for an update.
fn is_low(board: &Board) -> bool {
    let supply = board.card.as_ref().and_then(|card| card.supply.as_ref());
    supply.is_some_and(|(_, low)| *low)
}

fn note(way: Way, stored: bool) -> Option<String> {
    let about = match way {
        Way::Nothing => Some("Exactly this image, confirmed. There is nothing to do."),
        Way::Watch => Some("It is on trial: the page waits until the board says how that ends."),
        Way::Downgrade => Some("This is an older version than the one that runs."),
        Way::Replace => Some("The same version number, but not the same image."),
        Way::Install | Way::Update => None,
    };
    let stored = stored.then_some("The board holds this image already: nothing has to be sent.");
    let parts: Vec<&str> = about.into_iter().chain(stored).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

fn running(props: &Props, board: &Board, progress: &Progress, stopping: bool) -> Html {
    // What is counted: bytes, or how far a patch is made.
    let sends = progress.phase == Phase::Send || progress.phase == Phase::Verify && progress.patch;
    let percent = words::percent(progress);
    let lost = board.cable == Cable::Lost;
    let goes_back = progress.phase == Phase::Trial && board.cable == Cable::Restarting;
    let doing = match progress.phase {
        _ if lost => "Unplugged",
        _ if goes_back => "The board restarted before the new firmware had proved itself",
        _ => words::doing(progress),
    };
    let comfort = match &progress.hint {
        _ if lost => "Plug the board in again: the update goes on where the board says it was.",
        None if goes_back => "Its bootloader puts the old firmware back.",
        Some(hint) => hint,
        None => words::comfort(progress.phase),
    };
    html! {
        <div class={classes!("run", lost.then_some("run--lost"))}>
            { lace(progress.phase, if sends { percent } else { 0 }, None) }
            <div class="run__head">
                <p class="run__doing" data-testid="phase" data-phase={format!("{:?}", progress.phase)} aria-live="polite">
                    { doing }
                </p>
                if sends {
                    <p class="run__percent"><span>{ percent }</span>{ " %" }</p>
                }
            </div>
            <div class={classes!("bar", (!sends).then_some("bar--busy"))} role="progressbar" data-testid="progress"
                aria-label={words::doing(progress)} aria-valuemin="0" aria-valuemax="100"
                aria-valuenow={sends.then(|| percent.to_string())}
                data-done={progress.done.to_string()} data-total={progress.total.to_string()}>
                <span class="bar__fill" style={sends.then(|| width(progress))}></span>
            </div>
            <p class="run__figures">{ words::figures(progress) }</p>
            if let Some(note) = &progress.note {
                <p class="run__note" data-testid="note">{ words::note(note, false) }</p>
            }
            <div class="run__foot">
                <p class={classes!("run__comfort", progress.hint.is_some().then_some("run__comfort--hint"))}>{ comfort }</p>
                if progress.hint.is_some() && board.via == Via::Simulated {
                    <button class="second" type="button" data-testid="button" onclick={emit(&props.on, Intent::Button(board.id))}>
                        { "Restart it with its button held" }
                    </button>
                }
                if progress.phase <= Phase::Send {
                    <button class="second" type="button" data-testid="cancel" disabled={stopping}
                        onclick={emit(&props.on, Intent::Cancel(board.id))}>
                        { if stopping { "Stopping" } else { "Stop" } }
                    </button>
                }
            </div>
            // Said out loud every tenth of the way, not at every packet.
            <p class="aloud" aria-live="polite">
                if sends && percent >= 10 {
                    { format!("{} percent sent", percent / 10 * 10) }
                }
            </p>
        </div>
    }
}

/// The width of the bar: in tenths of a percent, so that it moves rather than jumps.
fn width(progress: &Progress) -> String {
    let done = u64::from(progress.done.min(progress.total));
    let tenths = (done * 1000).checked_div(progress.total.into()).unwrap_or(0);
    format!("width:{}.{}%", tenths / 10, tenths % 10)
}

/// A lace through six eyelets: it is drawn as far as the update came.
fn lace(phase: Phase, percent: u32, ended: Option<&'static str>) -> Html {
    const PATH: &str = "M50 17C75 1 125 1 150 17S225 33 250 17S325 1 350 17S425 33 450 17S525 1 550 17";
    let at = phase as u32;
    let drawn = (at * 100 + percent).min(500);
    html! {
        <div class={classes!("lace", ended.map(|tone| format!("lace--{tone}")))}>
            <svg class="lace__cord" viewBox="0 0 600 34" aria-hidden="true" focusable="false">
                <path class="lace__way" d={PATH} />
                <path class="lace__drawn" d={PATH} pathLength="500" stroke-dasharray={format!("{drawn} 600")} />
                { for (0..6).map(|step: u32| {
                    let class = match step {
                        _ if step < at || (step == at && phase == Phase::Confirmed) => "lace__eyelet lace__eyelet--done",
                        _ if step == at => "lace__eyelet lace__eyelet--now",
                        _ => "lace__eyelet",
                    };
                    html! { <circle {class} cx={(50 + 100 * step).to_string()} cy="17" r="6" /> }
                }) }
            </svg>
            <ol class="lace__steps">
                { for Phase::ALL.map(|step| html! {
                    <li class={classes!((step < phase || phase == Phase::Confirmed).then_some("done"), (step == phase).then_some("now"))}
                        aria-current={(step == phase).then_some("step")}>{ words::phase(step) }</li>
                }) }
            </ol>
        </div>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct EndedProps {
    outcome: Outcome,
    reached: Phase,
    gone: bool,
    again: Callback<MouseEvent>,
}

/// How it ended, in a colour that is readable from three metres.
#[component]
fn Ended(props: &EndedProps) -> Html {
    let button = use_node_ref();
    {
        // A station is driven with the Enter key: the next thing to press has the focus.
        let button = button.clone();
        use_effect_with((), move |()| {
            if let Some(button) = button.cast::<HtmlElement>() {
                _ = button.focus();
            }
        });
    }
    let (tone, name, icon, title, text) = match &props.outcome {
        Outcome::Confirmed { version, took, .. } => (
            "good",
            "confirmed",
            icons::check(),
            format!("Done. The board runs {version}."),
            format!(
                "It started, proved itself and is confirmed. Took {}.",
                words::milliseconds(*took)
            ),
        ),
        Outcome::RolledBack { version, reason } => (
            "warn",
            "rolled-back",
            icons::back(),
            format!("Rolled back. The board runs {version} again."),
            reason.clone(),
        ),
        Outcome::Unchanged { reason } => (
            "calm",
            "unchanged",
            icons::equal(),
            "The board is as it was.".to_owned(),
            reason.clone(),
        ),
        Outcome::Failed(problem) => (
            "bad",
            "failed",
            icons::cross(),
            problem.what.clone(),
            problem.next.clone(),
        ),
    };
    let failed = match &props.outcome {
        Outcome::Failed(problem) => Some(problem),
        _ => None,
    };
    let note = match &props.outcome {
        Outcome::Confirmed { note, .. } => note.as_ref(),
        _ => None,
    };
    let next = match (&props.outcome, props.gone) {
        (_, true) => "Next board",
        (Outcome::Confirmed { .. }, false) => "Again, or next board",
        _ => "Try again",
    };
    html! {
        <>
            { lace(props.reached, 0, Some(tone)) }
            <div class={classes!("outcome", format!("outcome--{tone}"))} role="status" data-testid="outcome" data-outcome={name}>
                <span class="outcome__icon">{ icon }</span>
                <div class="outcome__text" data-testid={failed.map(|_| "error")} data-error={failed.map(|problem| problem.name.clone())}>
                    <p class="outcome__title">{ title }</p>
                    <p class="outcome__reason">{ text }</p>
                    if let Some(note) = note {
                        <p class="outcome__reason" data-testid="note">{ words::note(note, true) }</p>
                    }
                    if failed.is_some_and(|problem| problem.unharmed) {
                        <p class="outcome__reason">{ "The board is unharmed." }</p>
                    }
                </div>
                <button class="outcome__again" type="button" data-testid="again" ref={button} onclick={&props.again}>
                    { next }
                </button>
            </div>
        </>
    }
}
