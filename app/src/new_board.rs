//! The way to “New board”, a program of its own that `start.js` loads.

use bootlace_page_parts::web_api::settled;
use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::prelude::*;

/// Loads and draws it; `closed` is called when the person comes back, and told whether a board is to be connected. `None`: it
/// can't be loaded.
pub(crate) async fn open(closed: impl FnOnce(bool) + 'static) -> Option<()> {
    let own = Reflect::get(&js_sys::global(), &"bootlace".into()).ok()?;
    let load: Function = Reflect::get(&own, &"part".into()).ok()?.dyn_into().ok()?;
    let loading: Promise = load.call1(&own, &"new-board".into()).ok()?.dyn_into().ok()?;
    let part = settled(loading).await.ok()?;
    let open: Function = Reflect::get(&part, &"open".into()).ok()?.dyn_into().ok()?;
    open.call1(&part, &Closure::once_into_js(closed)).ok().map(drop)
}
