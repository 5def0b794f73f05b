//! What inputs say.

use web_sys::{File, HtmlInputElement};
use yew::prelude::*;

use super::intent::Intent;

/// The file that was chosen in a file input.
pub(super) fn file_input(on: &Callback<Intent>, intent: fn(File) -> Intent) -> Callback<Event> {
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
pub(super) fn switch(on: &Callback<Intent>, intent: fn(bool) -> Intent) -> Callback<Event> {
    let on = on.clone();
    Callback::from(move |event: Event| {
        let input: Option<HtmlInputElement> = event.target_dyn_into();
        on.emit(intent(input.is_some_and(|input| input.checked())));
    })
}
