//! The flash is changed, and what came of that.

use bootlace_engine::words::page::new_board as words;
use bootlace_page_parts::icons;
use bootlace_page_parts::inputs::emit;
use yew::prelude::*;

use super::bar::bar;
use super::intent::{Intent, Props};
use crate::state::{Done, Run};

pub(super) fn body(props: &Props) -> Html {
    let labels = words::labels();
    match &props.state.run {
        Run::Changing {
            doing,
            progress,
            cancelling,
        } => html! {
            <>
                { bar(doing, *progress) }
                <p class="small">{ labels.install_cable }</p>
                <button class="quiet" type="button" data-testid="cancel" disabled={*cancelling}
                    onclick={emit(&props.on, Intent::Cancel)}>{ if *cancelling { labels.cancelling } else { labels.cancel } }</button>
            </>
        },
        Run::Writing => html! {
            <>
                { bar(labels.drive_writing, None) }
                <p class="small">{ labels.install_cable }</p>
            </>
        },
        _ => Html::default(),
    }
}

/// The companion starts.
pub(super) fn done(props: &Props) -> Html {
    let labels = words::labels();
    let Run::Done(done) = &props.state.run else {
        return Html::default();
    };
    let (title, text) = match done {
        Done::ReadBack => (labels.done, labels.done_read_back),
        Done::Checked => (labels.done, labels.done_checked),
        Done::Drive => (labels.done, labels.done_drive),
        Done::ByHand(_) if props.state.board.is_some_and(|board| board.drive.is_none()) => {
            (labels.by_programmer, labels.by_programmer_about)
        }
        Done::ByHand(_) => (labels.by_hand, labels.by_hand_about),
    };
    let file = match done {
        Done::ByHand(file) => Some(words::downloaded(file)),
        _ => None,
    };
    let by_hand = file.is_some();
    html! {
        <>
            <div class={if by_hand { "outcome" } else { "outcome outcome--good" }} data-testid="done">
                <span class="outcome__icon">{ if by_hand { icons::file() } else { icons::check() } }</span>
                <div class="outcome__text">
                    <p class="outcome__title">{ title }</p>
                    if let Some(file) = file {
                        <p class="outcome__reason">{ file }</p>
                    }
                    <p class="outcome__reason">{ text }</p>
                </div>
            </div>
            if let Some(exit) = props.state.board.and_then(|board| board.exit) {
                <p class="remark" data-testid="exit">{ exit }</p>
            }
            <button class="primary primary--step" type="button" data-testid="connect-board"
                onclick={emit(&props.on, Intent::ConnectBoard)}>{ icons::plug() }<span>{ labels.done_connect }</span></button>
            <p class="small small--below">{ words::then_connect(props.state.board_name()) }</p>
            <button class="quiet" type="button" data-testid="another" onclick={emit(&props.on, Intent::Another)}>{ labels.another }</button>
        </>
    }
}
