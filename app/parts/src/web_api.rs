//! What the browser's interfaces have in common: where they are found, how they are waited for, and how their errors are
//! told apart.

use js_sys::{Function, Object, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

/// What a promise comes to. Untyped: the code for each type of promise would weigh half a kilobyte of the page.
pub fn settled(promise: impl Into<JsValue>) -> JsFuture {
    JsFuture::from(promise.into().unchecked_into::<Promise>())
}

/// The interface of this name, `serial` or `usb`, of a navigator: the window's or a worker's.
pub fn of_navigator<T: JsCast>(navigator: &JsValue, name: &str) -> Option<T> {
    let found = Reflect::get(navigator, &name.into()).ok()?;
    (!found.is_undefined() && !found.is_null()).then(|| found.unchecked_into())
}

/// The same of the window's navigator.
pub fn of_window<T: JsCast>(name: &str) -> Option<T> {
    let window = web_sys::window()?;
    of_navigator(window.navigator().as_ref(), name)
}

/// Whether a Permissions-Policy keeps this page from what has this name.
pub fn is_forbidden(document: &Object, name: &str) -> bool {
    let policy = Reflect::get(document, &"featurePolicy".into()).unwrap_or(JsValue::UNDEFINED);
    let allows = Reflect::get(&policy, &"allowsFeature".into())
        .ok()
        .and_then(|allows| allows.dyn_into().ok());
    allows.is_some_and(|allows: Function| {
        allows
            .call1(&policy, &name.into())
            .is_ok_and(|allowed| allowed.is_falsy())
    })
}

/// The name of a DOMException.
pub fn error_name(error: &JsValue) -> String {
    Reflect::get(error, &"name".into())
        .ok()
        .and_then(|name| name.as_string())
        .unwrap_or_default()
}
