//! Small pieces that more than one panel is made of.

use yew::prelude::*;

use crate::words;

/// The numbered ring in front of a title.
pub(super) fn eyelet(number: &'static str) -> Html {
    html! { <span class="eyelet" aria-hidden="true">{ number }</span> }
}

/// A term and what it is.
pub(super) fn fact(term: &'static str, value: Html) -> Html {
    html! { <div class="fact"><dt>{ term }</dt><dd>{ value }</dd></div> }
}

/// The first digits; all of them on demand.
pub(super) fn hash(hash: &str) -> Html {
    html! {
        <details class="hash">
            <summary><code>{ words::short_hash(hash) }{ " …" }</code></summary>
            <code>{ words::long_hash(hash) }</code>
        </details>
    }
}
