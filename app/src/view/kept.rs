//! The images that this browser keeps: what they are for, how much room they take, and how to be rid of them.

use yew::prelude::*;

use super::parts::hash;
use super::{Intent, Props, emit, icons};
use crate::messages::KeptImage;
use crate::words;

/// Folded below the firmware; nothing before there is one.
pub(super) fn images(props: &Props) -> Html {
    let kept = &props.state.kept;
    if kept.is_empty() {
        return Html::default();
    }
    let room = kept
        .iter()
        .fold(0u32, |sum, image| sum.saturating_add(image.size));
    html! {
        <details class="fold" data-testid="kept">
            <summary>{ format!("Images seen before ({})", kept.len()) }</summary>
            <p class="fold__line">
                { format!(
                    "Kept in this browser, {} in all. A board that runs one of them is sent only what changed.",
                    words::bytes(room)
                ) }
            </p>
            <ul class="keys">{ for kept.iter().rev().map(|image| row(props, image)) }</ul>
            <button class="second" type="button" data-testid="forget-all" onclick={emit(&props.on, Intent::Drop(None))}>
                { "Forget all of them" }
            </button>
        </details>
    }
}

fn row(props: &Props, image: &KeptImage) -> Html {
    html! {
        <li class="key" data-testid="kept-image" data-hash={image.hash.clone()}>
            { icons::file() }
            <span class="key__text">
                <span><strong>{ &image.version }</strong>{ " " }{ &image.file }</span>
                <span class="key__hash">{ words::bytes(image.size) }{ " · " }{ hash(&image.hash) }</span>
            </span>
            <button class="quiet" type="button" aria-label={format!("Forget {}", image.file)}
                onclick={emit(&props.on, Intent::Drop(Some(image.hash.clone())))}>{ "Forget" }</button>
        </li>
    }
}
