//! Whose firmware the board runs, what it is called, and what it starts.

use bootlace_engine::words::page::new_board as words;
use bootlace_engine::words::page::{labels as page_labels, long_hash, named};
use bootlace_page_parts::icons;
use bootlace_page_parts::inputs::{emit, file_input, switch};
use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::intent::{Intent, Props};
use crate::state::{MadeKey, NamedKey, Run};

pub(super) fn body(props: &Props) -> Html {
    let state = &props.state;
    let labels = words::labels();
    let unsaved = state.made.as_ref().filter(|made| !made.is_kept());
    html! {
        <>
            <p>{ labels.key_about }</p>
            if state.run == Run::Making {
                <p class="waiting" role="status"><span class="spinner"></span>{ labels.companion_making }</p>
            } else if let Some(made) = unsaved {
                { unsaved_key(props, made) }
            } else if state.keys.is_empty() {
                { first_key(props) }
            } else {
                <ul class="keys">{ for state.keys.iter().enumerate().map(|(at, named)| key(props, at, named)) }</ul>
                { name(props) }
                { more(props) }
                <button class="primary primary--step" type="button" data-testid="continue" disabled={!state.can_make()}
                    onclick={emit(&props.on, Intent::Continue)}><span>{ labels.proceed }</span>{ icons::arrow() }</button>
            }
        </>
    }
}

/// The two ways to a key.
fn first_key(props: &Props) -> Html {
    let labels = words::labels();
    html! {
        <div class="ways">
            <label class="way">
                { key_input(props) }
                <span class="way__icon">{ icons::file() }</span>
                <span class="way__label">{ labels.key_choose }</span>
                <span class="way__hint">{ labels.key_choose_hint }</span>
            </label>
            <button class="way" type="button" data-testid="make-key" onclick={emit(&props.on, Intent::MakeKey)}>
                <span class="way__icon">{ icons::key() }</span>
                <span class="way__label">{ labels.key_make }</span>
                <span class="way__hint">{ labels.key_make_hint }</span>
            </button>
        </div>
    }
}

fn key_input(props: &Props) -> Html {
    html! {
        <input class="chooser__input" type="file" accept=".pem,.pub,.der,.txt" data-testid="choose-key"
            onchange={file_input(&props.on, Intent::AddKeys)} />
    }
}

/// The key that is made here: nothing goes on before its private half is a file.
fn unsaved_key(props: &Props, made: &MadeKey) -> Html {
    let labels = words::labels();
    if made.public.is_none() {
        return html! { <p class="waiting" role="status"><span class="spinner"></span>{ labels.key_making }</p> };
    }
    let saves = emit(&props.on, Intent::SavePrivate);
    html! {
        <div class="card card--save" data-testid="unsaved-key">
            <p class="card__title">{ icons::key() }<span>{ labels.key_save_first }</span></p>
            <p>{ labels.key_save_about }</p>
            if let Some(saved) = &made.saved {
                <p class="card__said" role="status">{ icons::check() }<span>{ words::downloaded(&saved.name) }</span></p>
                <label class="tick">
                    <input type="checkbox" checked={made.kept} data-testid="key-kept" onchange={switch(&props.on, Intent::PrivateKept)} />
                    <span>{ labels.key_is_saved }</span>
                </label>
                <button class="quiet" type="button" onclick={saves}>{ labels.key_save_again }</button>
            } else {
                <button class="primary primary--step" type="button" data-testid="save-key" onclick={saves}>
                    <span>{ labels.key_save }</span></button>
            }
        </div>
    }
}

fn key(props: &Props, at: usize, named_key: &NamedKey) -> Html {
    let labels = words::labels();
    let NamedKey { file, key } = named_key;
    let made = props.state.made.as_ref().filter(|made| made.public == Some(*key));
    let private = made.and_then(|made| made.saved.as_ref());
    html! {
        <li class="key" data-testid="board-key">
            { icons::key() }
            <span class="key__text">
                <span><strong>{ file }</strong>{ " " }{ words::key_kind(key) }</span>
                <span class="key__hash">{ page_labels().key_fingerprint }{ ": " }<code class="key__whole">{ long_hash(&key.hash()) }</code></span>
                if let Some(private) = private {
                    <span class="key__hash">{ words::key_saved(&private.name) }{ " " }<code>{ words::sign_with(&private.name) }</code></span>
                }
                <span class="key__do">
                    if made.is_some() {
                        <button class="quiet" type="button" onclick={emit(&props.on, Intent::SavePublic)}>{ labels.key_save_public }</button>
                    }
                    <button class="quiet" type="button" aria-label={named(labels.key_remove, file)}
                        onclick={emit(&props.on, Intent::RemoveKey(at))}>{ labels.key_remove }</button>
                </span>
            </span>
        </li>
    }
}

fn name(props: &Props) -> Html {
    let state = &props.state;
    let labels = words::labels();
    let unfit = words::unfit_name(state.name.trim());
    let typed = typed(&props.on, Intent::Name);
    html! {
        <div class="field field--step">
            <label class="field__label" for="board-name">{ labels.name }</label>
            <input class="text" id="board-name" type="text" maxlength="40" placeholder={state.board.map(|board| board.title)}
                value={state.name.clone()} oninput={typed} aria-describedby="board-name-about" aria-invalid={unfit.is_some().to_string()} />
            <p class="field__about" id="board-name-about">{ unfit.unwrap_or_else(|| labels.name_about.into()) }</p>
        </div>
    }
}

/// A callback for what is typed.
fn typed(on: &Callback<Intent>, intent: impl Fn(String) -> Intent + 'static) -> Callback<InputEvent> {
    let on = on.clone();
    Callback::from(move |event: InputEvent| {
        let input: Option<HtmlInputElement> = event.target_dyn_into();
        if let Some(input) = input {
            on.emit(intent(input.value()));
        }
    })
}

/// What most boards do without.
fn more(props: &Props) -> Html {
    let state = &props.state;
    let labels = words::labels();
    let id = |at: usize, label: &'static str, name: &'static str| {
        let value = state.ids.get(at).cloned().unwrap_or_default();
        let unfit = words::unfit_uuid(&value);
        html! {
            <div class="field">
                <label class="field__label" for={name}>{ label }</label>
                <input class="text" id={name} type="text" maxlength="40" autocomplete="off" spellcheck="false" {value}
                    oninput={typed(&props.on, move |text| Intent::Id(at, text))} aria-invalid={unfit.is_some().to_string()} />
                if let Some(unfit) = unfit {
                    <p class="field__about">{ unfit }</p>
                }
            </div>
        }
    };
    html! {
        <details class="fold fold--step">
            <summary>{ labels.more }</summary>
            <p class="fold__line">{ labels.application_about }</p>
            if let Some(application) = &state.application {
                <p class="file-name" data-testid="application">{ icons::file() }<span>{ &application.file }{ " " }{ &application.version }</span>
                    <button class="quiet" type="button" onclick={emit(&props.on, Intent::RemoveApplication)}>{ labels.application_remove }</button></p>
            } else {
                <label class="second chooser--line">
                    <input class="chooser__input" type="file" accept=".bin,.img,.signed,application/octet-stream" data-testid="choose-application"
                        onchange={file_input(&props.on, Intent::AddApplication)} />
                    { icons::file() }<span>{ labels.application_choose }</span>
                </label>
            }
            <p class="fold__line">{ labels.key_second_about }</p>
            <label class="second chooser--line">{ key_input(props) }{ icons::key() }<span>{ labels.key_second }</span></label>
            <p class="fold__line">{ labels.ids_about }</p>
            <div class="pair">{ id(0, labels.vendor, "board-vendor") }{ id(1, labels.class, "board-class") }</div>
        </details>
    }
}
