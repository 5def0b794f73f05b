//! Which board.

use bootlace_engine::words::page::new_board as words;
use bootlace_install::{Board, boards};
use bootlace_page_parts::inputs::emit;
use yew::prelude::*;

use super::intent::{Intent, Props};
use super::pictures;
use crate::state::List;

pub(super) fn body(props: &Props) -> Html {
    let labels = words::labels();
    match &props.state.list {
        List::Loading => waiting(labels.looking, None),
        List::Missing => waiting(labels.preparing, Some(labels.preparing_about)),
        List::There(_) => html! {
            <>
                <p>{ labels.board_about }</p>
                <div class="picks">{ for boards::ALL.iter().map(|board| pick(props, board)) }</div>
            </>
        },
    }
}

fn waiting(what: &'static str, about: Option<&'static str>) -> Html {
    html! {
        <>
            <p class="waiting" role="status" data-testid="waiting"><span class="spinner"></span>{ what }</p>
            if let Some(about) = about {
                <p class="small">{ about }</p>
            }
        </>
    }
}

/// A board to choose. One without a companion is left out.
fn pick(props: &Props, board: &'static Board) -> Html {
    let Some(companion) = props.state.companion(board) else {
        return Html::default();
    };
    let chosen = props.state.board == Some(board);
    html! {
        <button class="pick" type="button" aria-pressed={chosen.to_string()} data-board={board.name}
            onclick={emit(&props.on, Intent::Board(board))}>
            <span class="pick__picture">{ pictures::board(board, false) }</span>
            <span class="pick__title">{ board.title }</span>
            <span class="pick__about">{ words::companion(&companion.version, companion.size) }</span>
        </button>
    }
}
