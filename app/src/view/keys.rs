//! Whom the person trusts: keys are added here and nowhere else, and shown whole.

use bootlace_engine::words::page as words;
use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::inputs::{emit, file_input, switch};
use super::intent::{Intent, Props};
use super::{icons, problem};
use crate::state::TrustedKey;

/// Folded below the firmware.
pub(super) fn trusted(props: &Props) -> Html {
    let state = &props.state;
    let labels = words::labels();
    let title = match state.keys.len() {
        0 => labels.trusted_keys.to_owned(),
        count => words::counted(labels.trusted_keys, count),
    };
    html! {
        <details class="fold" open={state.key_problem.is_some()}>
            <summary>{ title }</summary>
            <p class="fold__line">{ labels.trusted_keys_about }</p>
            if !state.keys.is_empty() {
                <ul class="keys">{ for state.keys.iter().map(|key| row(props, key)) }</ul>
            }
            if let Some(problem) = &state.key_problem {
                <problem::Card problem={problem.clone()} />
            }
            <label class="second chooser--line">
                <input class="chooser__input" type="file" accept=".pem,.pub,.der,.txt" data-testid="add-key"
                    onchange={file_input(&props.on, Intent::AddKey)} />
                { icons::key() }<span>{ labels.add_key }</span>
            </label>
            <label class="tick">
                <input type="checkbox" checked={state.development} data-testid="development-keys" onchange={switch(&props.on, Intent::Development)} />
                <span>{ labels.accept_test_keys }</span>
            </label>
        </details>
    }
}

fn row(props: &Props, known: &TrustedKey) -> Html {
    let labels = words::labels();
    let (on, key) = (props.on.clone(), known.key);
    let named = Callback::from(move |event: Event| {
        let input: Option<HtmlInputElement> = event.target_dyn_into();
        let name = input.map(|input| input.value().trim().to_owned());
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            on.emit(Intent::NameKey(key, name));
        }
    });
    let algorithm = bootlace_engine::words::algorithm(known.key.algorithm());
    html! {
        <li class="key" data-testid="trusted-key">
            { icons::key() }
            <span class="key__text">
                <input class="key__name" type="text" value={known.name.clone()} maxlength="60" onchange={named}
                    aria-label={labels.key_name} />
                <span class="key__hash">{ words::key_kind(algorithm, &known.added) }</span>
                <span class="key__hash">{ labels.key_fingerprint }{ ": " }<code class="key__whole">
                    { words::long_hash(&known.key.hash()) }
                </code></span>
                if known.key.is_development_key() {
                    <span class="key__hash" data-testid="test-key">{ labels.test_key }</span>
                }
            </span>
            <button class="quiet" type="button" aria-label={words::named(labels.remove, &known.name)}
                onclick={emit(&props.on, Intent::RemoveKey(key))}>{ labels.remove }</button>
        </li>
    }
}
