//! What happened, line by line, to read and to copy.

use yew::prelude::*;

use super::{Intent, Props, emit};

/// The log, folded.
#[component]
pub(super) fn Log(props: &Props) -> Html {
    let state = &props.state;
    if state.log.is_empty() {
        return Html::default();
    }
    html! {
        <details class="fold log bench__wide">
            <summary>{ "Log" }<span class="log__last">{ state.log.last().map(|line| line.text.clone()) }</span></summary>
            <ol class="log__lines" data-testid="log" tabindex="0">
                { for state.log.iter().map(|line| html! {
                    <li><time>{ &line.at }</time><span>{ &line.text }</span></li>
                }) }
            </ol>
            <button class="second" type="button" onclick={emit(&props.on, Intent::CopyLog)}>{ "Copy the log" }</button>
        </details>
    }
}
