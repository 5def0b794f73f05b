//! A thing that went wrong: what happened, what to do, and what is known of the board.

use bootlace_engine::words::Sentence;
use bootlace_engine::words::page as words;
use yew::prelude::*;

use crate::icons;

/// What a card shows.
#[derive(Clone, PartialEq, Properties)]
pub struct CardProps {
    /// What happened, and what to do.
    pub sentence: Sentence,
    /// The line to copy that mends it.
    #[prop_or_default]
    pub remedy: Option<String>,
    /// What is known of the board where nothing was done to it.
    #[prop_or(words::labels().unharmed)]
    pub unharmed: &'static str,
    /// With a button that puts it away.
    #[prop_or_default]
    pub close: Option<Callback<MouseEvent>>,
}

/// The box that every problem is shown in.
#[component]
pub fn SentenceCard(props: &CardProps) -> Html {
    let CardProps {
        sentence,
        remedy,
        unharmed,
        close,
    } = props;
    html! {
        <div class="problem" role="alert" data-testid="error" data-error={sentence.name.clone()}>
            <span class="problem__icon">{ icons::warning() }</span>
            <div class="problem__text">
                <p class="problem__what">{ &sentence.what }</p>
                <p class="problem__next">{ &sentence.next }</p>
                if let Some(line) = remedy {
                    <code class="problem__line" data-testid="remedy">{ line }</code>
                }
                if let Some(developers) = sentence.developers {
                    <details class="problem__more"><summary>{ words::labels().for_developers }</summary>{ developers }</details>
                }
                if sentence.unharmed {
                    <p class="problem__unharmed">{ icons::check() }{ *unharmed }</p>
                }
            </div>
            if let Some(close) = close {
                <button class="quiet quiet--icon" type="button" onclick={close} aria-label={words::labels().close_message}>
                    { icons::cross() }
                </button>
            }
        </div>
    }
}
