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
    let mut ways: Vec<Html> = (board.ways.iter().copied())
        .filter(|way| state.offers.has(*way))
        .enumerate()
        .map(|(number, way)| match way {
            Way::Uf2 => drive(props, number == 0),
            way => loader(props, way, number == 0),
        })
        .collect();
    if board.drive.is_none() {
        ways.push(programmer(props, ways.is_empty()));
    }
    let others = ways.split_off(1.min(ways.len()));
    html! {
        <>
            { for ways }
            if !others.is_empty() {
                <details class="fold fold--step" open={state.trouble.is_some()}>
                    <summary>{ labels.other_ways }</summary>
                    { for others }
                </details>
            }
        </>
    }
}

const fn class(is_first: bool) -> &'static str {
    match is_first {
        true => "primary primary--step",
        false => "second",
    }
}

/// The way to a loader that the browser opens.
fn loader(props: &Props, way: Way, is_first: bool) -> Html {
    html! {
        <>
            <button class={class(is_first)} type="button" onclick={emit(&props.on, Intent::Connect(way))}>
                { icons::plug() }<span>{ words::connect(way) }</span></button>
            <p class={if is_first { "small small--below" } else { "small" }}>{ words::connect_hint(way) }</p>
        </>
    }
}

/// The way by a program or a probe that the person has.
fn programmer(props: &Props, is_first: bool) -> Html {
    let labels = words::labels();
    html! {
        <>
            <p class="fold__line">{ labels.programmer_about }</p>
            <button class={class(is_first)} type="button" data-testid="download" onclick={emit(&props.on, Intent::Download)}>
                { icons::file() }<span>{ labels.drive_download }</span></button>
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
            <div class="row row--step">
                if folders {
                    <button class={class(is_first)} type="button" data-testid="choose-drive"
                        onclick={emit(&props.on, Intent::Connect(Way::Uf2))}>{ labels.drive_choose }</button>
                }
                <button class={class(is_first && !folders)} type="button" data-testid="download" onclick={emit(&props.on, Intent::Download)}>
                    { labels.drive_download }</button>
            </div>
            <p class="small">{ labels.drive_download_about }</p>
        </>
    }
}
