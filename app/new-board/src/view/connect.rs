//! The board's loader: how a person gets the board into it, and the ways to it.

use bootlace_engine::words::page::new_board as words;
use bootlace_install::{Board, Way};
use bootlace_page_parts::icons;
use bootlace_page_parts::inputs::emit;
use yew::prelude::*;

use super::intent::{Intent, Props};
use super::pictures;
use crate::state::Run;

pub(super) fn body(props: &Props) -> Html {
    let state = &props.state;
    let labels = words::labels();
    let Some(board) = state.board else {
        return Html::default();
    };
    html! {
        <>
            <div class="entry">
                <div class="entry__picture">{ pictures::board(board, true) }</div>
                <p class="entry__how">{ board.entry }</p>
            </div>
            if state.run == Run::Opening {
                <div class="row row--step">
                    <p class="waiting" role="status"><span class="spinner"></span>{ labels.opening }</p>
                    <button class="quiet" type="button" data-testid="cancel" onclick={emit(&props.on, Intent::Cancel)}>{ labels.cancel }</button>
                </div>
            } else {
                { ways(props, board) }
            }
        </>
    }
}

/// The first way that this browser has, and the others in a fold.
fn ways(props: &Props, board: &Board) -> Html {
    let state = &props.state;
    let labels = words::labels();
    let mut ways = board.ways.iter().copied().filter(|way| state.offers.has(*way));
    let Some(first) = ways.next() else {
        let sentence = words::not_in_this_browser(board);
        return html! { <bootlace_page_parts::SentenceCard {sentence} unharmed={labels.unharmed} /> };
    };
    let others: Vec<Way> = ways.collect();
    html! {
        <>
            if first == Way::Uf2 {
                { drive(props, true) }
            } else {
                <button class="primary primary--step" type="button" data-testid="connect-loader"
                    onclick={emit(&props.on, Intent::Connect(first))}>{ icons::plug() }<span>{ words::connect(first) }</span></button>
                <p class="small small--below">{ words::connect_hint(first) }</p>
            }
            if !others.is_empty() {
                <details class="fold fold--step" open={state.trouble.is_some()}>
                    <summary>{ labels.other_ways }</summary>
                    { for others.into_iter().map(|way| match way {
                        Way::Uf2 => drive(props, false),
                        way => html! {
                            <>
                                <button class="second" type="button" onclick={emit(&props.on, Intent::Connect(way))}>{ words::connect(way) }</button>
                                <p class="small">{ words::connect_hint(way) }</p>
                            </>
                        },
                    }) }
                </details>
            }
        </>
    }
}

/// The way by the board's drive. Where the browser gives no folders, the person copies the file.
fn drive(props: &Props, is_first: bool) -> Html {
    let labels = words::labels();
    let folders = props.state.offers.folders;
    let class = |first: bool| {
        if is_first && first {
            "primary primary--step"
        } else {
            "second"
        }
    };
    html! {
        <>
            <p class="fold__line">{ labels.drive_about }</p>
            if folders {
                <button class={class(true)} type="button" data-testid="choose-drive"
                    onclick={emit(&props.on, Intent::Connect(Way::Uf2))}>{ labels.drive_choose }</button>
            }
            <button class={class(!folders)} type="button" data-testid="download" onclick={emit(&props.on, Intent::Download)}>
                { labels.drive_download }</button>
            <p class="small">{ labels.drive_download_about }</p>
        </>
    }
}
