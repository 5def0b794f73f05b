//! The update: one button, how far it came, and how it ended.

use bootlace_engine::words::page as words;
use bootlace_engine::{NoPatch, Route};
use web_sys::Element;
use yew::prelude::*;

use super::ended::Ended;
use super::inputs::{emit, switch};
use super::intent::{Intent, Props};
use super::lace::lace;
use super::pieces::title;
use super::{icons, problem};
use crate::messages::{Cable, Offer, Problem, Running, Sends, Step, Via};
use crate::state::{Entry, Work};

/// The lower panel.
#[component]
pub(super) fn Update(props: &Props) -> Html {
    let state = &props.state;
    let entry = state.entry();
    let panel = use_node_ref();
    use_effect_with(state.is_watching(), {
        let panel = panel.clone();
        move |watching| {
            if let Some(panel) = panel.cast::<Element>().filter(|_| *watching) {
                // On a telephone the panels above fill the screen.
                super::pieces::into_view(&panel);
            }
        }
    });
    let ready = entry.is_some_and(|entry| entry.work == Work::Idle && can_start(entry));
    html! {
        <section class={classes!("panel", "bench__wide", ready.then_some("panel--ready"))} ref={panel}
            aria-labelledby="update-title">
            { title("update-title", "3", words::labels().update) }
            { match entry.map(|entry| (entry, &entry.work)) {
                Some((entry, Work::Running { running: now, cancelling })) => running(props, entry, now, *cancelling),
                Some((entry, Work::Ended { ending, reached })) => html! { <Ended
                    ending={ending.clone()} reached={*reached} gone={entry.cable == Cable::Lost} board={entry.board.clone()}
                    again={emit(&props.on, Intent::Again(entry.id))} /> },
                Some((_, Work::Idle)) | None => idle(props, entry),
            } }
        </section>
    }
}

fn idle(props: &Props, entry: Option<&Entry>) -> Html {
    let state = &props.state;
    let labels = words::labels();
    let known = entry.filter(|entry| entry.board.is_some());
    let offer = known.and_then(|entry| entry.offer.as_deref());
    let ready = known.is_some_and(can_start);
    let low = known.filter(|entry| entry.is_low() && entry.cable == Cable::Connected);
    let label = words::button(offer, state.image().is_some(), entry.is_some());
    html! {
        <>
            if let Some(Err(error)) = offer.map(|offer| &offer.plan) {
                // What is wrong with the file itself stands beside it.
                if state.file_problem() == Some(Problem::File(error.clone())) {
                    <p class="go__note">{ labels.nothing_sent }</p>
                } else {
                    <problem::Card problem={Problem::Plan(error.clone())} />
                }
            }
            <div class="go">
                <button class="primary" type="button" data-testid="update" data-next="" disabled={!ready}
                    onclick={known.map(|entry| emit(&props.on, Intent::Update(entry.id)))}>
                    <span>{ label }</span>
                    if ready {
                        { icons::arrow() }
                    }
                </button>
                if let Some(low) = low {
                    <p class="go__note go__low" role="status">{ labels.low_supply }</p>
                    <button class="second" type="button" data-testid="check-again"
                        onclick={emit(&props.on, Intent::Refresh(low.id))}>{ labels.check_again }</button>
                }
                if let Some(Offer { plan: Ok(plan), sends }) = offer {
                    if let Some(note) = words::note(plan) {
                        <p class="go__note">{ note }</p>
                    }
                    { what_is_sent(props, sends, plan.from.as_deref()) }
                }
            </div>
        </>
    }
}

/// Patch or image, and the switch between them where there is a choice.
fn what_is_sent(props: &Props, sends: &Sends, running: Option<&str>) -> Html {
    let name = match sends {
        Sends::Whole(NoPatch::BaseNotFound) => "unseen",
        Sends::Whole(_) | Sends::WholeWanted => "whole",
        Sends::Making(_) => "making",
        Sends::Patch(_) => "patch",
    };
    let choice = matches!(sends, Sends::Making(_) | Sends::Patch(_) | Sends::WholeWanted);
    html! {
        <div class="go__sends">
            if let Some(said) = words::sends(sends, running) {
                <p class="go__note" data-testid="sends" data-sends={name}>{ said }</p>
            }
            if choice {
                <label class="switch">
                    <input type="checkbox" role="switch" data-testid="whole" checked={props.state.whole}
                        onchange={switch(&props.on, Intent::Whole)} />
                    <span>{ words::labels().send_full }</span>
                </label>
            }
        </div>
    }
}

/// The button can be pressed: there is something to do, the board is there, and would not refuse for lack of power.
fn can_start(entry: &Entry) -> bool {
    let plan = entry.offer.as_ref().and_then(|offer| offer.plan.as_ref().ok());
    plan.is_some_and(|plan| plan.route != Route::Nothing)
        && entry.board.is_some()
        && entry.cable == Cable::Connected
        && !entry.is_low()
}

fn running(props: &Props, entry: &Entry, running: &Running, cancelling: bool) -> Html {
    let labels = words::labels();
    let lost = entry.cable == Cable::Lost;
    let counted = running.counted();
    let percent = counted.map(|(done, total)| words::percent(done, total));
    let (done, total) = running
        .progress
        .map_or((0, 0), |progress| (progress.done, progress.total));
    let step = running.step();
    let needs_person = running.attention.is_some() && !lost;
    html! {
        <div class={classes!("run", lost.then_some("run--lost"))}>
            { lace(step, percent.unwrap_or(0), None) }
            <div class="run__head">
                <p class="run__doing" data-testid="phase" data-phase={format!("{step:?}")}>{ words::doing(running, lost) }</p>
                if let Some(percent) = percent {
                    <p class="run__percent"><span>{ percent }</span>{ " %" }</p>
                }
            </div>
            <div class={classes!("bar", counted.is_none().then_some("bar--busy"), lost.then_some("bar--lost"))}
                role="progressbar" data-testid="progress" aria-label={words::doing(running, lost)}
                aria-valuemin="0" aria-valuemax="100" aria-valuenow={percent.map(|percent| percent.to_string())}
                data-done={done.to_string()} data-total={total.to_string()}>
                if let Some(counted) = counted {
                    // No width in a style: the page's Content-Security-Policy forbids inline styles.
                    <svg class="bar__scale" viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true" focusable="false">
                        <rect class="bar__fill" width={thousandths(counted).to_string()} height="10" />
                    </svg>
                } else {
                    <span class="bar__fill"></span>
                }
            </div>
            <p class="run__figures">{ words::figures(running, lost) }</p>
            if let Some(fate) = &running.patch {
                <p class="run__note" data-testid="note">{ words::patch_fate(fate, false) }</p>
            }
            <div class="run__foot">
                <p class={classes!("run__comfort", needs_person.then_some("run__comfort--help"))} data-testid="comfort">
                    if needs_person {
                        { icons::warning() }
                    }
                    <span>{ words::comfort(running, lost) }</span>
                </p>
                if needs_person && entry.via == Via::Simulated {
                    <button class="second" type="button" data-testid="button" onclick={emit(&props.on, Intent::Button(entry.id))}>
                        { labels.hold_button }
                    </button>
                }
                if step <= Step::Send {
                    <button class="second" type="button" data-testid="cancel" data-next="" disabled={cancelling}
                        onclick={emit(&props.on, Intent::Cancel(entry.id))}>
                        { if cancelling { labels.cancelling } else { labels.cancel } }
                    </button>
                } else {
                    <button class="second" type="button" data-testid="leave" data-next="" title={labels.leave_about}
                        onclick={emit(&props.on, Intent::Release(entry.id))}>{ labels.leave }</button>
                }
            </div>
        </div>
    }
}

/// How much of the bar is filled: in thousandths, so that it moves rather than jumps.
fn thousandths((done, total): (u32, u32)) -> u64 {
    let done = u64::from(done.min(total));
    (done * 1000).checked_div(total.into()).unwrap_or(0)
}
