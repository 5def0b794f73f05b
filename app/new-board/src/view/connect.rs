//! The board's loader: how a person gets the board into it, and the ways to it.

use bootlace_engine::words::page::new_board as words;
use bootlace_install::Way;
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
    let by_usb =
        (board.ways.iter()).find(|way| matches!(way, Way::Picoboot | Way::Dfuse) && state.offers.has(**way));
    let opening = state.run == Run::Opening;
    html! {
        <>
            <div class="entry">
                <div class="entry__picture">{ pictures::board(board, true) }</div>
                <div class="entry__text">
                    <p class="entry__how">{ board.entry }</p>
                    <p class="small">{ labels.connect_blank }</p>
                </div>
            </div>
            if opening {
                <div class="row row--step">
                    <p class="waiting" role="status"><span class="spinner"></span>{ labels.opening }</p>
                    <button class="quiet" type="button" data-testid="cancel" onclick={emit(&props.on, Intent::Cancel)}>{ labels.cancel }</button>
                </div>
            } else {
                if let Some(way) = by_usb {
                    <button class="primary primary--step" type="button" data-testid="connect-loader"
                        onclick={emit(&props.on, Intent::Connect(*way))}>{ icons::plug() }<span>{ labels.connect_usb }</span></button>
                    <p class="small small--below">{ labels.connect_usb_hint }</p>
                }
                if board.ways.contains(&Way::Uf2) {
                    { drive(props, by_usb.is_some()) }
                }
            }
        </>
    }
}

/// The way by the drive: folded where there is a better one.
fn drive(props: &Props, folded: bool) -> Html {
    let labels = words::labels();
    html! {
        <details class="fold fold--step" open={!folded || props.state.trouble.is_some()}>
            <summary>{ labels.other_ways }</summary>
            <p class="fold__line">{ labels.drive_about }</p>
            if props.state.offers.folders {
                <button class="second" type="button" data-testid="choose-drive"
                    onclick={emit(&props.on, Intent::Connect(Way::Uf2))}>{ labels.drive_choose }</button>
            }
            <button class="second" type="button" data-testid="download" onclick={emit(&props.on, Intent::Download)}>
                { labels.drive_download }</button>
            <p class="small">{ labels.drive_download_about }</p>
        </details>
    }
}
