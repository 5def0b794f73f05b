//! Where the keyboard is. When what had the focus is gone from the page, its panel has the focus: the element that leads
//! on there (`data-next`), or the panel's title. Escape puts away what can be put away.

use std::cell::RefCell;
use std::rc::Rc;

use gloo::events::EventListener;
use gloo::timers::callback::Timeout;
use wasm_bindgen::JsCast;
use web_sys::{Document, Element, HtmlElement, KeyboardEvent};
use yew::prelude::*;

use super::intent::{Intent, Props};
use crate::state::Work;

fn document() -> Option<Document> {
    web_sys::window().and_then(|window| window.document())
}

/// Keeps the focus in the panel that had it, however that is drawn.
#[hook]
pub(super) fn use_kept_focus(props: &Props) {
    let panel = use_mut_ref(|| None::<Element>);
    use_effect_with((), {
        let panel = panel.clone();
        move |()| {
            let listener = document().map(|document| {
                EventListener::new(&document, "focusin", move |event| {
                    let target = event
                        .target()
                        .and_then(|target| target.dyn_into::<Element>().ok());
                    *panel.borrow_mut() = target.and_then(|target| target.closest(".panel").ok().flatten());
                })
            });
            move || drop(listener)
        }
    });
    use_effect_with(props.clone(), move |_| {
        // The panels are drawn after the page: only then it is known what is gone.
        let later = Timeout::new(0, move || bring_back(&panel));
        move || drop(later)
    });
}

fn bring_back(panel: &Rc<RefCell<Option<Element>>>) {
    let lost = document().is_some_and(|document| match document.active_element() {
        Some(active) => active.tag_name() == "BODY",
        None => true,
    });
    // Focusing is heard as well: the borrow has to be over by then.
    let panel = panel
        .borrow()
        .clone()
        .filter(|panel| lost && panel.is_connected());
    let Some(panel) = panel else { return };
    let next = ["[data-next]:not([disabled])", ".panel__title"];
    let next = next
        .iter()
        .find_map(|css| panel.query_selector(css).ok().flatten());
    if let Some(next) = next.and_then(|next| next.dyn_into::<HtmlElement>().ok()) {
        _ = next.focus();
    }
}

/// Escape closes the message, then the outcome, then the fold that the focus is in.
pub(super) fn escape(props: &Props) -> Callback<KeyboardEvent> {
    let props = props.clone();
    Callback::from(move |event: KeyboardEvent| {
        if event.key() != "Escape" {
            return;
        }
        let ended = props
            .state
            .entry()
            .filter(|entry| matches!(entry.work, Work::Ended { .. }));
        match (&props.state.problem, ended) {
            (Some(_), _) => props.on.emit(Intent::Dismiss),
            (None, Some(entry)) => props.on.emit(Intent::Again(entry.id)),
            (None, None) => {
                let target: Option<Element> = event.target_dyn_into();
                let fold = target.and_then(|target| target.closest("details[open]").ok().flatten());
                if let Some(fold) = fold {
                    _ = fold.remove_attribute("open");
                    let summary = fold.query_selector("summary").ok().flatten();
                    if let Some(summary) = summary.and_then(|summary| summary.dyn_into::<HtmlElement>().ok())
                    {
                        _ = summary.focus();
                    }
                }
            }
        }
    })
}
