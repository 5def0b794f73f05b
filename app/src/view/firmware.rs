//! The firmware: choose it, see what it is and who signed it, and whom to trust.

use web_sys::{File, HtmlInputElement};
use yew::prelude::*;

use super::parts::{eyelet, fact, hash};
use super::{Intent, Props, emit, icons, kept, problem};
use crate::messages::{ImageCard, Target, Verdict};
use crate::state::{Image, State, TrustedKey};
use crate::words;

/// The left panel.
#[component]
pub(super) fn Firmware(props: &Props) -> Html {
    let state = &props.state;
    html! {
        <section class="panel" aria-labelledby="firmware-title">
            <h2 class="panel__title" id="firmware-title">{ eyelet("1") }{ "Firmware" }</h2>
            { match &state.image {
                Image::None => chooser(props, None),
                Image::Reading(file) => html! {
                    <p class="waiting" role="status"><span class="spinner"></span>{ format!("Reading {file}") }</p>
                },
                Image::Refused { file, problem } => html! {
                    <>
                        <p class="file-name">{ icons::file() }<span>{ file }</span></p>
                        <problem::Card problem={problem.clone()} />
                        { chooser(props, Some("Choose another file")) }
                    </>
                },
                // While the board is being updated only what goes there is of interest.
                Image::Known(card) if state.is_watching() => image_card(state, card, false),
                Image::Known(card) => html! {
                    <>
                        { image_card(state, card, true) }
                        { chooser(props, Some("Choose another file")) }
                    </>
                },
            } }
            if !state.is_watching() {
                <div class="folds">
                    { trusted_keys(props) }
                    { kept::images(props) }
                </div>
            }
        </section>
    }
}

fn picked(event: &Event) -> Option<File> {
    let input: HtmlInputElement = event.target_dyn_into()?;
    let file = input.files()?.get(0);
    // So that choosing the same file again, rebuilt meanwhile, is noticed.
    input.set_value("");
    file
}

fn file_input(on: &Callback<Intent>, intent: fn(File) -> Intent) -> Callback<Event> {
    let on = on.clone();
    Callback::from(move |event: Event| {
        if let Some(file) = picked(&event) {
            on.emit(intent(file));
        }
    })
}

/// The file button: large when there is nothing else to do, a line when there is an image already.
fn chooser(props: &Props, again: Option<&'static str>) -> Html {
    let state = &props.state;
    html! {
        <>
            <label class={if again.is_some() { "chooser chooser--again" } else { "chooser" }}>
                <input class="chooser__input" type="file" accept=".bin,.img,.signed,.pem,application/octet-stream"
                    data-testid="choose-image" onchange={file_input(&props.on, Intent::Open)} />
                if again.is_none() {
                    <span class="chooser__icon">{ icons::file() }</span>
                }
                <span class="chooser__label">{ again.unwrap_or("Choose a signed image") }</span>
                if again.is_none() {
                    <span class="chooser__hint">{ "or drop the file anywhere on this page" }</span>
                }
            </label>
            if let Some(demo) = state.demo.as_ref().filter(|demo| !demo.images.is_empty()) {
                <div class="demo">
                    if again.is_none() {
                        <p class="demo__line">{ "Try it with" }</p>
                    }
                    <div class="demo__images">
                        { for demo.images.iter().enumerate().map(|(at, image)| html! {
                            <button class="chip" type="button" data-testid="demo-image" data-file={image.file.clone()}
                                onclick={emit(&props.on, Intent::OpenDemo(at))}>{ &image.title }</button>
                        }) }
                    </div>
                </div>
            }
        </>
    }
}

fn image_card(state: &State, card: &ImageCard, facts: bool) -> Html {
    html! {
        <div class="card" data-testid="image-card">
            <p class="file-name">{ icons::file() }<span>{ &card.file }</span></p>
            <p class="headline"><span class="headline__version">{ &card.version }</span></p>
            { verdict(state, card) }
            if facts {
                <dl class="facts">
                    { fact("Size", html! { words::bytes(card.size) }) }
                    { target(&card.target) }
                    if let Some(counter) = card.counter {
                        { fact("Security counter", html! { counter }) }
                    }
                    { fact("Image hash", hash(&card.hash)) }
                </dl>
            }
        </div>
    }
}

fn target(target: &Target) -> Html {
    match target {
        Target::Named { vendor, class } => html! {
            <>
                if let Some(class) = class {
                    { fact("Board class", html! { <code class="uuid">{ class }</code> }) }
                }
                if let Some(vendor) = vendor {
                    { fact("Vendor", html! { <code class="uuid">{ vendor }</code> }) }
                }
            </>
        },
        Target::Address(address) => fact("Starts at", html! { <code>{ format!("0x{address:08X}") }</code> }),
    }
}

fn verdict(state: &State, card: &ImageCard) -> Html {
    let (tone, icon, text, signer) = match &card.verdict {
        Verdict::Signed { key, board } => {
            let text = match board {
                Some(true) => "Signature good, trusted by the board",
                Some(false) => "Signature good, but the board doesn’t trust it",
                None => "Signature good",
            };
            let tone = if *board == Some(false) || key.development {
                "warn"
            } else {
                "good"
            };
            let name = state
                .key_name(&key.hash)
                .map(str::to_owned)
                .or_else(|| key.name.clone());
            let name = if key.development {
                Some("a published development key".to_owned())
            } else {
                name
            };
            (tone, icons::check(), text, signer(name, Some(&key.hash)))
        }
        Verdict::Stranger { hash } => (
            "open",
            icons::question(),
            "Signed, not checked yet: connect the board, or add the signer’s public key",
            signer(None, hash.as_deref()),
        ),
        Verdict::Refused(problem) => {
            return html! {
                <div data-testid="image-verdict" data-verdict="refused"><problem::Card problem={problem.clone()} /></div>
            };
        }
    };
    html! {
        <div class={classes!("verdict", format!("verdict--{tone}"))}>
            <span class="verdict__icon">{ icon }</span>
            <div>
                <p class="verdict__text" data-testid="image-verdict" data-verdict={tone}>{ text }</p>
                <div class="verdict__signer" data-testid="image-signer">{ signer }</div>
            </div>
        </div>
    }
}

fn signer(name: Option<String>, key: Option<&str>) -> Html {
    match (name, key) {
        (Some(name), Some(key)) => {
            html! { <>{ "Signed by " }<strong>{ name }</strong>{ ", key " }{ hash(key) }</> }
        }
        (Some(name), None) => html! { <>{ "Signed by " }<strong>{ name }</strong></> },
        (None, Some(key)) => html! { <>{ "Signed by key " }{ hash(key) }</> },
        (None, None) => html! { "It doesn’t say by whom" },
    }
}

fn trusted_keys(props: &Props) -> Html {
    let state = &props.state;
    let title = match state.keys.len() {
        0 => "Trusted keys".to_owned(),
        count => format!("Trusted keys ({count})"),
    };
    html! {
        <details class="fold" open={state.key_problem.is_some()}>
            <summary>{ title }</summary>
            <p class="fold__line">
                { "A board’s own keys always count. Add a public key here to check images before a board is plugged in." }
            </p>
            if !state.keys.is_empty() {
                <ul class="keys">{ for state.keys.iter().map(|key| trusted_key(props, key)) }</ul>
            }
            if let Some(problem) = &state.key_problem {
                <problem::Card problem={problem.clone()} />
            }
            <label class="second chooser--line">
                <input class="chooser__input" type="file" accept=".pem,.pub,.txt" data-testid="add-key"
                    onchange={file_input(&props.on, Intent::AddKey)} />
                { icons::key() }<span>{ "Add a public key (PEM)" }</span>
            </label>
            <label class="tick">
                <input type="checkbox" checked={state.development} data-testid="development-keys"
                    onchange={let on = props.on.clone(); Callback::from(move |event: Event| {
                        let input: Option<HtmlInputElement> = event.target_dyn_into();
                        on.emit(Intent::Development(input.is_some_and(|input| input.checked())));
                    })} />
                <span>{ "Take MCUboot’s published development keys too. Anybody can sign with them: for trying things out only." }</span>
            </label>
        </details>
    }
}

fn trusted_key(props: &Props, key: &TrustedKey) -> Html {
    let (on, pem) = (props.on.clone(), key.key.pem.clone());
    let named = Callback::from(move |event: Event| {
        let input: Option<HtmlInputElement> = event.target_dyn_into();
        if let Some(name) = input
            .map(|input| input.value().trim().to_owned())
            .filter(|name| !name.is_empty())
        {
            on.emit(Intent::NameKey(pem.clone(), name));
        }
    });
    html! {
        <li class="key">
            { icons::key() }
            <span class="key__text">
                <input class="key__name" type="text" value={key.key.name.clone()} maxlength="60" onchange={named}
                    aria-label="Name of this key" />
                if let Some(card) = &key.card {
                    <span class="key__hash">{ &card.algorithm }{ " " }{ hash(&card.hash) }</span>
                }
            </span>
            <button class="quiet" type="button" aria-label={format!("Remove {}", key.key.name)}
                onclick={emit(&props.on, Intent::RemoveKey(key.key.pem.clone()))}>{ "Remove" }</button>
        </li>
    }
}
