//! The board: connect it, see what it is and what it runs.

use bootlace_engine::BoardInfo;
use bootlace_engine::words::page::{self as words, spelled};
use bootlace_engine::words::{release, supply};
use web_sys::HtmlSelectElement;
use yew::prelude::*;

use super::inputs::emit;
use super::intent::{Intent, Props};
use super::pieces::{fact, hash, title};
use super::{history, icons, slots};
use crate::messages::{Behaviour, Cable, Via};
use crate::state::{Entry, NewBoard, State, Work};

/// The right panel.
#[component]
pub(super) fn BoardPanel(props: &Props) -> Html {
    let state = &props.state;
    html! {
        <section class="panel" aria-labelledby="board-title">
            { title("board-title", "2", words::labels().board) }
            if state.boards.len() > 1 {
                { switcher(props) }
            }
            if let Some(entry) = state.entry() {
                { shown(props, entry) }
            } else {
                { connect(props) }
            }
        </section>
    }
}

fn switcher(props: &Props) -> Html {
    let state = &props.state;
    html! {
        <div class="switcher" role="group" aria-label={words::labels().boards}>
            { for state.boards.iter().map(|entry| html! {
                <button class="chip" type="button" aria-pressed={(state.shown == Some(entry.id)).to_string()}
                    onclick={emit(&props.on, Intent::Show(entry.id))}>
                    { words::board_label(entry.board.as_deref(), entry.id.0) }
                </button>
            }) }
        </div>
    }
}

fn connect(props: &Props) -> Html {
    let state = &props.state;
    let labels = words::labels();
    html! {
        <>
            <button class="plug" type="button" data-testid="connect" data-next=""
                disabled={state.obstacle.is_some() || !state.ready} onclick={emit(&props.on, Intent::Connect(state.choosers.first()))}>
                <span class="plug__icon">{ icons::plug() }</span>
                <span class="plug__label">{ labels.connect }</span>
                <span class="plug__hint">{ labels.connect_hint }</span>
            </button>
            <div class="row row--spread">
                { other_chooser(props, labels.connect_usb) }
                { new_board(props) }
            </div>
            { simulate(props) }
        </>
    }
}

/// The chooser of boards that are reached without a serial port, where the browser has both.
fn other_chooser(props: &Props, label: &'static str) -> Html {
    let state = &props.state;
    let chooser = state.choosers.second().filter(|_| state.obstacle.is_none());
    html! {
        if let Some(chooser) = chooser {
            <button class="quiet" type="button" data-testid="connect-usb" disabled={!state.ready}
                onclick={emit(&props.on, Intent::Connect(chooser))}>{ label }</button>
        }
    }
}

/// The way to a board's first companion.
fn new_board(props: &Props) -> Html {
    let loading = props.state.new_board == NewBoard::Loading;
    html! {
        <button class="quiet" type="button" data-testid="new-board" disabled={loading}
            onclick={emit(&props.on, Intent::NewBoard)}>{ words::labels().new_board }</button>
    }
}

fn simulate(props: &Props) -> Html {
    let state = &props.state;
    let labels = words::labels();
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
            <p class="simulate__line">{ labels.simulate_about }</p>
            <div class="simulate__row">
                <label class="field">
                    <span class="field__label">{ labels.what_happens }</span>
                    <select data-testid="behaviour" onchange={chosen}>
                        { for Behaviour::ALL.map(|behaviour| html! {
                            <option value={format!("{behaviour:?}")} selected={behaviour == state.behaviour}>
                                { words::behaviour(behaviour) }
                            </option>
                        }) }
                    </select>
                </label>
                <button class="second" type="button" data-testid="simulate" disabled={!state.ready}
                    onclick={emit(&props.on, Intent::Simulate)}>{ icons::board() }<span>{ labels.simulate }</span></button>
            </div>
        </div>
    }
}

fn shown(props: &Props, entry: &Entry) -> Html {
    let labels = words::labels();
    html! {
        <>
            if let Some(board) = &entry.board {
                { board_card(&props.state, entry, board) }
            } else {
                <div class="card">
                    <p class="waiting" role="status"><span class="spinner"></span>{ labels.asking }</p>
                    if let Via::Serial(Some((vendor, product))) | Via::Usb((vendor, product)) = entry.via {
                        <p class="small">{ format!("USB {vendor:04X}:{product:04X}") }</p>
                    }
                </div>
            }
            <div class="row">
                if !entry.is_busy() {
                    <button class="quiet" type="button" data-testid="disconnect" onclick={emit(&props.on, Intent::Release(entry.id))}>
                        { if entry.via == Via::Simulated { labels.unplug } else { labels.disconnect } }
                    </button>
                }
                if !props.state.is_busy() && props.state.obstacle.is_none() {
                    <button class="quiet" type="button" data-testid="connect" onclick={emit(&props.on, Intent::Connect(props.state.choosers.first()))}>
                        { labels.connect_another }
                    </button>
                    { other_chooser(props, labels.connect_another_usb) }
                    { new_board(props) }
                }
            </div>
        </>
    }
}

fn board_card(state: &State, entry: &Entry, board: &BoardInfo) -> Html {
    let labels = words::labels();
    let lost = entry.cable == Cable::Lost;
    let low = entry.is_low();
    html! {
        <div class={classes!("card", lost.then_some("card--lost"))} data-testid="board-card"
            data-role={board.role.and_then(|role| role.name()).unwrap_or("Unknown")}>
            <p class="board-name">
                { icons::board() }<span>{ words::board_name(board) }</span>
                if entry.via == Via::Simulated {
                    <span class="badge badge--plain">{ labels.simulated }</span>
                }
            </p>
            <p class="headline" data-testid="board-running">
                { match board.running() {
                    Some(image) => html! { <span class="headline__version">{ spelled(&image.version) }</span> },
                    None if board.is_in_bootloader() => html! { <span class="headline__none">{ labels.no_firmware }</span> },
                    None => html! { <span class="headline__none">{ labels.unlisted }</span> },
                } }
                <span class="headline__role">{ match entry.cable {
                    Cable::Lost => labels.unplugged,
                    Cable::Restarting => labels.restarting,
                    Cable::Connected => words::role(board),
                } }</span>
            </p>
            if let Some(remark) = words::remark(board) {
                <p class="remark" data-testid="remark">{ remark }</p>
            }
            if let Some(supplied) = board.supply.filter(|_| low) {
                <p class="low" role="status" data-testid="supply-low">{ icons::warning() }<span>{ supply(&supplied) }</span></p>
            }
            { slots::picture(board) }
            if entry.work == Work::Idle {
                { facts(state, board) }
            }
            if !entry.is_busy() {
                { history::list(&words::last_updates(board)) }
            }
        </div>
    }
}

fn facts(state: &State, board: &BoardInfo) -> Html {
    let labels = words::labels();
    let serial = board.serial.as_ref().filter(|serial| !serial.is_empty());
    html! {
        <dl class="facts">
            if let Some(serial) = serial {
                { fact(labels.serial_number, html! { <code>{ serial }</code> }) }
            }
            if let Some(version) = &board.companion {
                { fact(labels.bootloader, html! { version }) }
            }
            if let Some(golden) = board.golden {
                { fact(labels.backup_copy, html! { release(golden) }) }
            }
            if let Some(supplied) = board.supply.filter(|supply| !supply.is_low()) {
                { fact(labels.supply, html! { supply(&supplied) }) }
            }
            if let Some(counter) = board.counter {
                { fact(labels.counter, html! { words::board_counter(counter) }) }
            }
            if !board.keys.is_empty() {
                { fact(labels.accepts, html! {
                    { for board.keys.iter().map(|key| html! {
                        <span class="trusts">
                            if let Some(name) = state.key_name(key) {
                                { name }{ " " }
                            }
                            { hash(&key.hash()) }
                            if key.is_development_key() {
                                { " " }{ labels.test_key }
                            }
                        </span>
                    }) }
                }) }
            }
        </dl>
    }
}
