//! The images that this browser saves: what they are for, how much room they take, and how to be rid of them.

use bootlace_engine::words::{bytes, page as words};
use yew::prelude::*;

use super::icons;
use super::inputs::emit;
use super::intent::{Intent, Props};
use super::pieces::hash;
use crate::messages::KeptImage;

/// Folded below the firmware; nothing before there is one.
pub(super) fn images(props: &Props) -> Html {
    let kept = &props.state.kept;
    if kept.is_empty() {
        return Html::default();
    }
    let room = kept
        .iter()
        .fold(0u32, |sum, image| sum.saturating_add(image.size));
    let labels = words::labels();
    html! {
        <details class="fold" data-testid="kept">
            <summary>{ words::counted(labels.saved_images, kept.len()) }</summary>
            <p class="fold__line">{ words::kept_summary(room) }</p>
            <ul class="keys">{ for kept.iter().rev().map(|image| row(props, image)) }</ul>
            <button class="second" type="button" data-testid="forget-all"
                onclick={emit(&props.on, Intent::DeleteSaved(None))}>{ labels.delete_all }</button>
        </details>
    }
}

fn row(props: &Props, image: &KeptImage) -> Html {
    html! {
        <li class="key" data-testid="kept-image" data-hash={bootlace_engine::words::hex(&image.hash)}>
            { icons::file() }
            <span class="key__text">
                <span><strong>{ &image.version }</strong>{ " " }{ &image.file }</span>
                <span class="key__hash">{ bytes(image.size) }{ " · " }{ hash(&image.hash) }</span>
            </span>
            <button class="quiet" type="button" aria-label={words::named(words::labels().delete, &image.file)}
                onclick={emit(&props.on, Intent::DeleteSaved(Some(image.hash.clone())))}>{ words::labels().delete }</button>
        </li>
    }
}
