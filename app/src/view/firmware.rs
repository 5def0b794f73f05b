//! The firmware: choose it, see what it is and who signed it.

use bootlace_engine::Error;
use bootlace_engine::words::{bytes, page as words, unstartable_warning, uuid, version};
use bootlace_image::Unstartable;
use yew::prelude::*;

use super::inputs::{emit, file_input};
use super::intent::{Intent, Props};
use super::pieces::{fact, hash, title};
use super::{icons, kept, keys, problem};
use crate::messages::{ImageInfo, Problem, Verdict};
use crate::state::{Chosen, State};

/// The left panel.
#[component]
pub(super) fn Firmware(props: &Props) -> Html {
    let state = &props.state;
    // While the board is being updated only what goes there is of interest.
    let watching = state.is_watching();
    html! {
        <section class="panel" aria-labelledby="firmware-title">
            { title("firmware-title", "1", words::labels().firmware) }
            { match &state.chosen {
                Chosen::None => Html::default(),
                Chosen::Reading { file } => html! {
                    <p class="waiting" role="status"><span class="spinner"></span>{ words::reading(file) }</p>
                },
                Chosen::Refused { file, problem } => html! {
                    <>
                        <p class="file-name">{ icons::file() }<span>{ file }</span></p>
                        <problem::Card problem={problem.clone()} />
                    </>
                },
                Chosen::Image(image) => image_card(state, image, !watching),
            } }
            if !watching {
                { chooser(props) }
                <div class="folds">
                    { keys::trusted(props) }
                    { kept::images(props) }
                </div>
            }
        </section>
    }
}

/// The file button: large when there is nothing else to do, a line when there is an image already.
fn chooser(props: &Props) -> Html {
    let state = &props.state;
    let labels = words::labels();
    let first = state.chosen == Chosen::None;
    html! {
        <>
            <label class={if first { "chooser" } else { "chooser chooser--again" }}>
                <input class="chooser__input" type="file" accept=".bin,.img,.signed,application/octet-stream"
                    data-testid="choose-image" data-next="" onchange={file_input(&props.on, Intent::Open)} />
                if first {
                    <span class="chooser__icon">{ icons::file() }</span>
                }
                <span class="chooser__label">{ if first { labels.choose_image } else { labels.choose_another } }</span>
                if first {
                    <span class="chooser__hint">{ labels.choose_image_hint }</span>
                }
            </label>
            if let Some(demo) = state.demo.as_ref().filter(|demo| !demo.images.is_empty()) {
                <div class="demo">
                    if first {
                        <p class="demo__line">{ labels.try_it_with }</p>
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

fn image_card(state: &State, image: &ImageInfo, facts: bool) -> Html {
    let labels = words::labels();
    html! {
        <div class="card" data-testid="image-card">
            <p class="file-name">{ icons::file() }<span>{ &image.file }</span></p>
            <p class="headline"><span class="headline__version">{ version(image.version) }</span></p>
            { verdict(state, image) }
            if facts && !board_refuses_to_start(state) {
                { for image.warning.map(warning) }
            }
            if facts {
                <dl class="facts">
                    { fact(labels.size, html! { bytes(image.size) }) }
                    if let Some(class) = &image.cid {
                        { fact(labels.board_class, html! { <code class="uuid">{ uuid(class) }</code> }) }
                    }
                    if let Some(vendor) = &image.vid {
                        { fact(labels.vendor, html! { <code class="uuid">{ uuid(vendor) }</code> }) }
                    }
                    if let Some(start) = image.start.filter(|_| image.cid.is_none()) {
                        { fact(labels.starts_at, html! { <code>{ format!("0x{start:08X}") }</code> }) }
                    }
                    if let Some(counter) = image.counter {
                        { fact(labels.counter, html! { counter }) }
                    }
                    if let Some(digest) = &image.hash {
                        { fact(labels.image_hash, hash(digest)) }
                    }
                </dl>
            }
        </div>
    }
}

/// Why no Cortex-M can start the image.
fn warning(reason: Unstartable) -> Html {
    let sentence = unstartable_warning(reason);
    html! {
        <div class="verdict verdict--warn" role="alert" data-testid="image-warning" data-warning={sentence.name}>
            <span class="verdict__icon">{ icons::warning() }</span>
            <div>
                <p class="verdict__text">{ sentence.what }</p>
                <p>{ sentence.next }</p>
                if let Some(developers) = sentence.developers {
                    <details><summary>{ words::labels().for_developers }</summary>{ developers }</details>
                }
            </div>
        </div>
    }
}

/// Whether the board that is shown can't start the image: its panel says so, and better, because its address is known.
fn board_refuses_to_start(state: &State) -> bool {
    let offer = state.entry().and_then(|entry| entry.offer.as_ref());
    offer.is_some_and(|offer| matches!(offer.plan, Err(Error::Unstartable(_))))
}

/// Two statements for two facts: whether the person trusts the signer, and what the board says of that signer. Only the
/// first one is worth a green mark: a board's own word about itself is not.
fn verdict(state: &State, image: &ImageInfo) -> Html {
    let labels = words::labels();
    let (tone, text, key) = match &image.verdict {
        Verdict::Trusted(key) if key.is_development_key() => ("warn", labels.signature_test_key, Some(key)),
        Verdict::Trusted(key) => ("good", labels.signature_trusted, Some(key)),
        Verdict::NamedByBoard(key) => ("open", labels.signature_by_board, Some(key)),
        Verdict::Unchecked { key_hash: None } => ("open", labels.signature_unread, None),
        Verdict::Unchecked { .. } if state.keys.is_empty() => ("open", labels.signature_unchecked, None),
        Verdict::Unchecked { .. } => ("warn", labels.signature_not_yours, None),
        Verdict::Refused(error) => {
            return html! {
                <div data-testid="image-verdict" data-verdict="refused">
                    <problem::Card problem={Problem::File(error.clone())} />
                </div>
            };
        }
    };
    let icon = match tone {
        "good" => icons::check(),
        "warn" => icons::warning(),
        _ => icons::question(),
    };
    let signer = image.verdict.signer();
    let accepts = board_accepts(state, signer);
    html! {
        <div class={classes!("verdict", format!("verdict--{tone}"))}>
            <span class="verdict__icon">{ icon }</span>
            <div>
                <p class="verdict__text" data-testid="image-verdict" data-verdict={tone}>{ text }</p>
                if let Some(accepts) = accepts {
                    <p class="verdict__board" data-testid="board-verdict" data-accepts={accepts.to_string()}>
                        { if accepts { labels.board_accepts } else { labels.board_refuses } }
                    </p>
                }
                <dl class="verdict__signer" data-testid="image-signer">
                    if let Some(name) = key.and_then(|key| state.key_name(key)) {
                        { fact(labels.signer, html! { <strong>{ name }</strong> }) }
                    }
                    if let Some(signer) = &signer {
                        { fact(labels.key, hash(signer)) }
                    }
                </dl>
            </div>
        </div>
    }
}

/// Whether the board that is shown says that it accepts this signer; `None` where it does not say.
fn board_accepts(state: &State, signer: Option<[u8; 32]>) -> Option<bool> {
    let board = state.entry()?.board.as_ref()?;
    let signer = signer.filter(|_| !board.keys.is_empty())?;
    Some(board.keys.iter().any(|key| key.hash() == signer))
}
