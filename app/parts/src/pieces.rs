//! Small pieces that panels are made of.

use bootlace_engine::words::page as words;
use web_sys::{Element, ScrollIntoViewOptions, ScrollLogicalPosition};
use yew::prelude::*;

use crate::icons;

/// Whose page it is.
pub fn brand() -> Html {
    let labels = words::labels();
    html! {
        <a class="brand" href="." aria-label={labels.brand_link}>
            { icons::logo() }
            <h1 class="brand__name">{ labels.product }</h1>
        </a>
    }
}

/// The title of a panel, with its number in a ring. It can have the focus where nothing else of its panel can.
pub fn title(id: &'static str, number: &'static str, text: &'static str) -> Html {
    html! {
        <h2 class="panel__title" {id} tabindex="-1"><span class="eyelet" aria-hidden="true">{ number }</span>{ text }</h2>
    }
}

/// A term and what it is.
pub fn fact(term: &'static str, value: Html) -> Html {
    html! { <div class="fact"><dt>{ term }</dt><dd>{ value }</dd></div> }
}

/// The first digits; all of them on demand.
pub fn hash(hash: &[u8]) -> Html {
    html! {
        <details class="hash">
            <summary><code>{ words::short_hash(hash) }{ " …" }</code></summary>
            <code>{ words::long_hash(hash) }</code>
        </details>
    }
}

/// Scrolls as little as brings it into view.
pub fn into_view(element: &Element) {
    let into = ScrollIntoViewOptions::new();
    into.set_block(ScrollLogicalPosition::Nearest);
    element.scroll_into_view_with_scroll_into_view_options(&into);
}
