//! The worker's entry point.

use futures_channel::mpsc::unbounded;
use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::MessageEvent;

use super::bench;
use super::orders::Input;
use super::ports::on_change;
use super::scope::{scope, tell};
use crate::messages::{Command, Notice};

/// Takes commands from now on.
#[wasm_bindgen]
pub fn worker_main() {
    let (inputs, heard) = unbounded();
    spawn_local(bench::run(inputs.clone(), heard));
    let ports = inputs.clone();
    let message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        let parts = Array::from(&event.data());
        let command = Uint8Array::new(&parts.get(0)).to_vec();
        // The one copy of a file's bytes: from the window's buffer into this module's memory.
        let bytes = (parts.length() > 1).then(|| Uint8Array::new(&parts.get(1)).to_vec());
        if let Ok(command) = postcard::from_bytes::<Command>(&command) {
            _ = inputs.unbounded_send(Input::Command(command, bytes.unwrap_or_default()));
        }
    });
    scope().set_onmessage(Some(message.as_ref().unchecked_ref()));
    // It listens as long as the worker lives.
    message.forget();
    on_change(move || _ = ports.unbounded_send(Input::PortsChanged));
    tell(&Notice::Ready);
}
