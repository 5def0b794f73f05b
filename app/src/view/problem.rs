//! A thing that went wrong: what happened, what to do, and whether the board is as it was.

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
    let problem = &props.problem;
    html! {
        <div class="problem" role="alert" data-testid="error" data-error={problem.name.clone()}>
            <span class="problem__icon">{ icons::warning() }</span>
            <div class="problem__text">
                <p class="problem__what">{ &problem.what }</p>
                <p class="problem__next">{ &problem.next }</p>
                if problem.unharmed {
                    <p class="problem__unharmed">{ icons::check() }{ "The board is unharmed." }</p>
                }
            </div>
            if let Some(close) = &props.close {
                <button class="quiet quiet--icon" type="button" onclick={close} aria-label="Close this message">
                    { icons::cross() }
                </button>
            }
        </div>
    }
}
