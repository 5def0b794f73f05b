//! What is there, and what will change: nothing was changed yet.

use bootlace_engine::words::page::new_board as words;
use bootlace_page_parts::icons;
use bootlace_page_parts::inputs::{emit, switch};
use bootlace_page_parts::pieces::fact;
use yew::prelude::*;

use super::bar::bar;
use super::intent::{Intent, Props};
use crate::state::{Check, Held, Run};

pub(super) fn body(props: &Props) -> Html {
    let labels = words::labels();
    match &props.state.run {
        Run::Check(check) => decide(props, check),
        Run::Reading(progress) => html! {
            <>
                { bar(labels.check_reading, *progress) }
                { cancel(props) }
            </>
        },
        _ => Html::default(),
    }
}

fn cancel(props: &Props) -> Html {
    html! {
        <button class="quiet" type="button" data-testid="cancel" onclick={emit(&props.on, Intent::Cancel)}>{ words::labels().cancel }</button>
    }
}

fn decide(props: &Props, check: &Check) -> Html {
    let labels = words::labels();
    let change = &props.state.change;
    let Some(board) = props.state.board else {
        return Html::default();
    };
    let held = match &check.held {
        Held::Blank => labels.check_blank.to_owned(),
        Held::Unread => labels.check_unread.to_owned(),
        Held::Parts(parts) => words::held(parts),
    };
    html! {
        <>
            <dl class="facts facts--step">
                { fact(labels.check_erased, html! {
                    <>
                        { for change.ranges.iter().map(|(at, len)| html! { <span class="trusts">{ words::range(*at, *len) }</span> }) }
                        <span class="small">{ words::content(change.has_application) }</span>
                    </>
                }) }
                { fact(labels.check_held, html! { <span data-testid="held">{ held }</span> }) }
                { fact(labels.check_untouched, html! { labels.check_rest }) }
            </dl>
            if let Held::Parts(_) = check.held {
                if let Some(saved) = &check.saved {
                    <p class="card__said" role="status" data-testid="before-saved">{ icons::check() }
                        <span>{ words::saved_as(board, &saved.name) }</span></p>
                } else {
                    <button class="second" type="button" data-testid="save-before" onclick={emit(&props.on, Intent::SaveBefore)}>
                        { icons::file() }<span>{ labels.check_save }</span></button>
                }
            }
            if check.held != Held::Blank && check.saved.is_none() {
                <label class="tick">
                    <input type="checkbox" checked={check.discard} data-testid="discard" onchange={switch(&props.on, Intent::Discard)} />
                    <span>{ if check.held == Held::Unread { labels.check_lost } else { labels.check_discard } }</span>
                </label>
            }
            <div class="row row--step">
                <button class="primary primary--step" type="button" data-testid="install" disabled={!check.is_decided()}
                    onclick={emit(&props.on, Intent::Install)}><span>{ labels.install_button }</span>{ icons::arrow() }</button>
                { cancel(props) }
            </div>
        </>
    }
}
