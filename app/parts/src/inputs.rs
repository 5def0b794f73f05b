//! What inputs say.

use web_sys::{File, HtmlInputElement};
use yew::prelude::*;

/// The file that was chosen in a file input.
pub fn file_input<I: 'static>(on: &Callback<I>, intent: fn(File) -> I) -> Callback<Event> {
    let on = on.clone();
    Callback::from(move |event: Event| {
        let input: Option<HtmlInputElement> = event.target_dyn_into();
        let file = input
            .as_ref()
            .and_then(HtmlInputElement::files)
            .and_then(|files| files.get(0));
        if let (Some(input), Some(file)) = (input, file) {
            // So that choosing the same file again, rebuilt meanwhile, is noticed.
            input.set_value("");
            on.emit(intent(file));
        }
    })
}

/// Whether a tick or a switch was put on.
pub fn switch<I: 'static>(on: &Callback<I>, intent: fn(bool) -> I) -> Callback<Event> {
    let on = on.clone();
    Callback::from(move |event: Event| {
        let input: Option<HtmlInputElement> = event.target_dyn_into();
        on.emit(intent(input.is_some_and(|input| input.checked())));
    })
}

/// A callback for a button that always means the same.
pub fn emit<I: Clone + 'static, E>(on: &Callback<I>, intent: I) -> Callback<E> {
    let on = on.clone();
    Callback::from(move |_| on.emit(intent.clone()))
}
