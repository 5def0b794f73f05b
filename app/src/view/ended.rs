//! How an update ended, in a colour that is readable from three metres.

use std::rc::Rc;

use bootlace_engine::words::page as words;
use bootlace_engine::{BoardInfo, Outcome};
use gloo::timers::callback::Timeout;
use web_sys::{Element, HtmlElement};
use yew::prelude::*;

use super::icons;
use super::lace::lace;
use super::pieces::into_view;
use crate::messages::{Ending, Step};

#[derive(Clone, PartialEq, Properties)]
pub(super) struct EndedProps {
    pub(super) ending: Rc<Ending>,
    /// The last step that was reached.
    pub(super) reached: Step,
    /// The board is not there any more.
    pub(super) gone: bool,
    /// What stands above: when it grows, the outcome is brought into view again.
    pub(super) board: Option<Rc<BoardInfo>>,
    pub(super) again: Callback<MouseEvent>,
}

/// The outcome, and the button that leads on.
#[component]
pub(super) fn Ended(props: &EndedProps) -> Html {
    let (card, button) = (use_node_ref(), use_node_ref());
    {
        // A station is driven with the Enter key: the next thing to press has the focus.
        let button = button.clone();
        use_effect_with((), move |()| {
            if let Some(button) = button.cast::<HtmlElement>() {
                _ = button.focus();
            }
        });
    }
    {
        let card = card.clone();
        use_effect_with(props.board.clone(), move |_| {
            // The board's card may be drawn after this one, and pushes it down.
            let later = Timeout::new(0, move || {
                if let Some(card) = card.cast::<Element>() {
                    into_view(&card);
                }
            });
            move || drop(later)
        });
    }
    let (tone, name, icon) = match &*props.ending {
        Ending::Outcome { outcome, .. } => match outcome {
            Outcome::Confirmed { .. } => ("good", "confirmed", icons::check()),
            Outcome::RolledBack { .. } => ("warn", "rolled-back", icons::back()),
            Outcome::Unchanged { .. } => ("calm", "unchanged", icons::equal()),
        },
        Ending::Failed(_) => ("bad", "failed", icons::cross()),
        Ending::Left => ("calm", "left", icons::question()),
    };
    let error = match &*props.ending {
        Ending::Failed(problem) => Some(words::problem(problem).name),
        _ => None,
    };
    let told = words::end(&props.ending, props.gone);
    html! {
        <>
            { lace(props.reached, 0, Some(tone)) }
            <div class={classes!("outcome", format!("outcome--{tone}"))} ref={card} data-testid="outcome" data-outcome={name}>
                <span class="outcome__icon">{ icon }</span>
                <div class="outcome__text" data-testid={error.as_ref().map(|_| "error")} data-error={error}>
                    <p class="outcome__title">{ told.title }</p>
                    <p class="outcome__reason">{ told.text }</p>
                    if let Some(note) = told.note {
                        <p class="outcome__reason" data-testid="note">{ note }</p>
                    }
                    if let Some(unharmed) = told.unharmed {
                        <p class="outcome__reason">{ unharmed }</p>
                    }
                </div>
                <button class="outcome__again" type="button" data-testid="again" data-next="" ref={button} onclick={&props.again}>
                    { told.next }
                </button>
            </div>
        </>
    }
}
