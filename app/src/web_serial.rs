//! Web Serial in the window: the chooser, and whether there is one. The worker's part is `worker/ports/serial.rs`; no
//! other file names its types.

use js_sys::{Function, Object, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::Serial;

use crate::messages::PageError;

/// Lets the person choose a port. Only with a click; the worker finds what was granted.
pub(crate) async fn ask() -> Result<(), PageError> {
    let serial = web_sys::window().and_then(|window| of_navigator(window.navigator().as_ref()));
    let serial = serial.ok_or(PageError::NoWebSerial)?;
    match JsFuture::from(serial.request_port()).await {
        Ok(_) => Ok(()),
        Err(error) if error_name(error.as_ref()) == "NotFoundError" => Err(PageError::NoPortChosen),
        Err(_) => Err(PageError::Forbidden),
    }
}

/// Whether this browser has it, as a page that may be served without it wants to know.
pub(crate) fn is_there() -> bool {
    web_sys::window().is_some_and(|window| of_navigator(window.navigator().as_ref()).is_some())
}

/// Whether a Permissions-Policy keeps this page from ports.
pub(crate) fn is_forbidden(document: &Object) -> bool {
    let policy = Reflect::get(document, &"featurePolicy".into()).unwrap_or(JsValue::UNDEFINED);
    let allows = Reflect::get(&policy, &"allowsFeature".into())
        .ok()
        .and_then(|allows| allows.dyn_into().ok());
    allows.is_some_and(|allows: Function| {
        allows
            .call1(&policy, &"serial".into())
            .is_ok_and(|allowed| allowed.is_falsy())
    })
}

/// Web Serial of a navigator, the window's or a worker's.
pub(crate) fn of_navigator(navigator: &JsValue) -> Option<Serial> {
    let serial = Reflect::get(navigator, &"serial".into()).ok()?;
    (!serial.is_undefined() && !serial.is_null()).then(|| serial.unchecked_into())
}

/// The name of a DOMException.
pub(crate) fn error_name(error: &JsValue) -> String {
    Reflect::get(error, &"name".into())
        .ok()
        .and_then(|name| name.as_string())
        .unwrap_or_default()
}
