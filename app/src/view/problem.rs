//! A thing that went wrong: what happened, what to do, and what is known of the board.

use bootlace_engine::words::page as words;
use yew::prelude::*;

use super::icons;
use crate::messages::Problem;

#[derive(Clone, PartialEq, Properties)]
pub(super) struct CardProps {
    pub(super) problem: Problem,
    /// With a button that puts it away.
    #[prop_or_default]
    pub(super) close: Option<Callback<MouseEvent>>,
}

/// The box that every problem is shown in.
#[component]
pub(super) fn Card(props: &CardProps) -> Html {
    let sentence = words::problem(&props.problem);
    html! {
        <div class="problem" role="alert" data-testid="error" data-error={sentence.name}>
            <span class="problem__icon">{ icons::warning() }</span>
            <div class="problem__text">
                <p class="problem__what">{ sentence.what }</p>
                <p class="problem__next">{ sentence.next }</p>
                if let Some(line) = words::remedy(&props.problem) {
                    <code class="problem__line" data-testid="remedy">{ line }</code>
                }
                if let Some(developers) = sentence.developers {
                    <details class="problem__more"><summary>{ words::labels().for_developers }</summary>{ developers }</details>
                }
                if sentence.unharmed {
                    <p class="problem__unharmed">{ icons::check() }{ words::labels().unharmed }</p>
                }
            </div>
            if let Some(close) = &props.close {
                <button class="quiet quiet--icon" type="button" onclick={close} aria-label={words::labels().close_message}>
                    { icons::cross() }
                </button>
            }
        </div>
    }
}
