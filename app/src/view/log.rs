//! What happened, line by line, to read and to copy.

use bootlace_engine::words::page as words;
use yew::prelude::*;

use super::inputs::emit;
use super::intent::Intent;
use crate::state;

#[derive(Clone, PartialEq, Properties)]
pub(super) struct LogProps {
    pub(super) log: state::Log,
    pub(super) on: Callback<Intent>,
}

/// The log, folded. Drawn again only when a line is new.
#[component]
pub(super) fn Log(props: &LogProps) -> Html {
    let Some(last) = props.log.last() else {
        return Html::default();
    };
    let labels = words::labels();
    html! {
        <details class="fold log bench__wide">
            <summary>{ labels.log }<span class="log__last">{ words::log(&last.fact) }</span></summary>
            <ol class="log__lines" data-testid="log" tabindex="0">
                { for props.log.iter().map(|line| html! {
                    <li><time>{ &line.at }</time><span>{ words::log(&line.fact) }</span></li>
                }) }
            </ol>
            <button class="second" type="button" onclick={emit(&props.on, Intent::CopyLog)}>{ labels.copy_log }</button>
        </details>
    }
}
