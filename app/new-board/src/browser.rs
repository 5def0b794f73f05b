//! What of the browser an installation uses, one thing a file.

pub(crate) mod companions;
pub(crate) mod drive;
pub(crate) mod files;
pub(crate) mod key_pair;
pub(crate) mod serial;
pub(crate) mod usb;

use bootlace_engine::words::page::new_board::System;
use bootlace_page_parts::web_api::of_window;
use bootlace_page_parts::window::window;
use js_sys::Reflect;
use wasm_bindgen::JsValue;

use crate::state::Offers;

/// Why no loader was opened.
pub(crate) enum Unopened {
    /// The browser has no such interface.
    NotThere,
    /// None was chosen.
    NotChosen,
    /// It is of another kind.
    Another,
    /// The system does not let this user have it.
    Denied,
    /// Another program has it, or it has no driver.
    Busy,
    /// It went away.
    Gone,
}

/// What the browser offers to this page.
pub(crate) fn offers() -> Offers {
    Offers {
        usb: of_window::<JsValue>("usb").is_some(),
        serial: of_window::<JsValue>("serial").is_some(),
        folders: files::has("showDirectoryPicker"),
    }
}

/// The system that it runs on, as far as it says.
pub(crate) fn system() -> System {
    let text = |of: &JsValue| Reflect::get(of, &"platform".into()).ok()?.as_string();
    let navigator = window().navigator();
    let newer = Reflect::get(navigator.as_ref(), &"userAgentData".into()).unwrap_or_default();
    let platform = (newer.is_object().then(|| text(&newer)).flatten()).or_else(|| text(navigator.as_ref()));
    System::of(&platform.unwrap_or_default())
}
