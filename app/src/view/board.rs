//! The board: connect it, see what it is and what it runs.

use web_sys::HtmlSelectElement;
use yew::prelude::*;

use super::parts::{eyelet, fact, hash};
use super::{Intent, Props, emit, history, icons, slots};
use crate::messages::{Behaviour, BoardCard, Cable, Via};
use crate::state::{Board, Run, State};
use crate::words;

/// The right panel.
#[component]
pub(super) fn BoardPanel(props: &Props) -> Html {
    let state = &props.state;
    html! {
        <section class="panel" aria-labelledby="board-title">
            <h2 class="panel__title" id="board-title">{ eyelet("2") }{ "Board" }</h2>
            if state.boards.len() > 1 {
                { switcher(props) }
            }
            if let Some(board) = state.board() {
                { shown(props, board) }
            } else {
                { connect(props) }
            }
        </section>
    }
}

fn label(board: &Board) -> String {
    match &board.card {
        Some(card) if !card.serial.is_empty() => card.serial.clone(),
        Some(card) if !card.name.is_empty() => card.name.clone(),
        _ => format!("Board {}", board.id.0),
    }
}

fn switcher(props: &Props) -> Html {
    let state = &props.state;
    html! {
        <div class="switcher" role="group" aria-label="Boards">
            { for state.boards.iter().map(|board| html! {
                <button class="chip" type="button" aria-pressed={(state.shown == Some(board.id)).to_string()}
                    onclick={emit(&props.on, Intent::Show(board.id))}>{ label(board) }</button>
            }) }
        </div>
    }
}

fn connect(props: &Props) -> Html {
    let state = &props.state;
    html! {
        <>
            <button class="plug" type="button" data-testid="connect" disabled={state.obstacle.is_some() || !state.ready}
                onclick={emit(&props.on, Intent::Connect)}>
                <span class="plug__icon">{ icons::plug() }</span>
                <span class="plug__label">{ "Connect a board" }</span>
                <span class="plug__hint">{ "Boards used here before connect by themselves" }</span>
            </button>
            { simulate(props) }
        </>
    }
}

fn simulate(props: &Props) -> Html {
    let state = &props.state;
    let on = props.on.clone();
    let chosen = Callback::from(move |event: Event| {
        let select: Option<HtmlSelectElement> = event.target_dyn_into();
        let index = select.and_then(|select| usize::try_from(select.selected_index()).ok());
        if let Some(behaviour) = index.and_then(|index| Behaviour::ALL.get(index)) {
            on.emit(Intent::Behave(*behaviour));
        }
    });
    html! {
        <div class="simulate">
            <p class="simulate__line">{ "No board at hand? Try the page with a simulated one." }</p>
            <div class="simulate__row">
                <label class="field">
                    <span class="field__label">{ "What happens" }</span>
                    <select data-testid="behaviour" onchange={chosen}>
                        { for Behaviour::ALL.map(|behaviour| html! {
                            <option value={format!("{behaviour:?}")} selected={behaviour == state.behaviour}>
                                { words::behaviour(behaviour) }
                            </option>
                        }) }
                    </select>
                </label>
                <button class="second" type="button" data-testid="simulate" disabled={!state.ready}
                    onclick={emit(&props.on, Intent::Simulate)}>{ icons::board() }<span>{ "Simulate" }</span></button>
            </div>
        </div>
    }
}

fn shown(props: &Props, board: &Board) -> Html {
    let idle = !matches!(board.run, Run::Running { .. });
    let busy = props.state.is_busy();
    html! {
        <>
            if let Some(card) = &board.card {
                { board_card(&props.state, board, card) }
            } else {
                <div class="card">
                    <p class="waiting" role="status"><span class="spinner"></span>{ "Asking who is there" }</p>
                    if let Via::Serial(Some((vendor, product))) = board.via {
                        <p class="small">{ format!("USB {vendor:04X}:{product:04X}") }</p>
                    }
                </div>
            }
            <div class="row">
                if idle {
                    <button class="quiet" type="button" onclick={emit(&props.on, Intent::Release(board.id))}>
                        { if board.via == Via::Simulated { "Unplug" } else { "Disconnect" } }
                    </button>
                }
                if !busy && props.state.obstacle.is_none() {
                    <button class="quiet" type="button" data-testid="connect" onclick={emit(&props.on, Intent::Connect)}>
                        { "Connect another board" }
                    </button>
                }
            </div>
        </>
    }
}

fn board_card(state: &State, board: &Board, card: &BoardCard) -> Html {
    let name = if card.name.is_empty() {
        "A board"
    } else {
        &card.name
    };
    let lost = board.cable == Cable::Lost;
    let idle = board.run == Run::Idle;
    html! {
        <div class={classes!("card", lost.then_some("card--lost"))} data-testid="board-card" data-role={format!("{:?}", card.role)}>
            <p class="board-name">
                { icons::board() }<span>{ name }</span>
                if board.via == Via::Simulated {
                    <span class="badge badge--plain">{ "simulated" }</span>
                }
            </p>
            <p class="headline" data-testid="board-running">
                { match &card.running {
                    Some(version) => html! { <span class="headline__version">{ version }</span> },
                    None => html! { <span class="headline__none">{ "No firmware" }</span> },
                } }
                <span class="headline__role">{ standing(board, card) }</span>
            </p>
            if let Some(remark) = &card.remark {
                <p class="remark" data-testid="remark">{ remark }</p>
            }
            if let Some((supply, true)) = &card.supply {
                <p class="low" role="status" data-testid="supply-low">{ icons::warning() }<span>{ supply }</span></p>
            }
            if !card.slots.is_empty() {
                { slots::picture(&card.slots) }
            }
            if idle {
                { facts(state, card) }
            }
            if !matches!(board.run, Run::Running { .. }) {
                { history::list(&card.history) }
            }
        </div>
    }
}

fn facts(state: &State, card: &BoardCard) -> Html {
    html! {
            <dl class="facts">
                if !card.serial.is_empty() {
                    { fact("Serial number", html! { <code>{ &card.serial }</code> }) }
                }
                if let Some(version) = &card.companion {
                    { fact("Bootloader", html! { version }) }
                }
                if let Some(golden) = &card.golden {
                    { fact("Golden image", html! { golden }) }
                }
                if let Some((supply, false)) = &card.supply {
                    { fact("Supply", html! { supply }) }
                }
                if let Some(counter) = card.counter {
                    { fact("Security counter", html! { counter }) }
                }
                if !card.keys.is_empty() {
                    { fact("Trusts", html! {
                        { for card.keys.iter().map(|key| html! {
                            <span class="trusts">
                                if let Some(name) = state.key_name(&key.hash) {
                                    { name }{ " " }
                                }
                                { hash(&key.hash) }
                            </span>
                        }) }
                    }) }
                }
            </dl>
    }
}

fn standing(board: &Board, card: &BoardCard) -> &'static str {
    match board.cable {
        Cable::Lost => "Unplugged. Plug it in again: the page goes on by itself.",
        Cable::Restarting => "restarting",
        Cable::Connected => words::role(card),
    }
}
