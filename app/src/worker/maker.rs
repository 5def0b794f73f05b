//! Making a patch, in a worker of its own: a second of work must hold up neither the page nor any board, and the
//! memory that it takes is given back.
//!
//! The maker says `true` when it listens, takes one pair of base and target, and answers with how far it is (a number,
//! in thousandths), and at last with the patch (bytes), or `null`.

use bootlace_delta::make::Options;
use bootlace_delta::make_proved;
use futures_channel::mpsc::unbounded;
use futures_util::{FutureExt, StreamExt, select_biased};
use gloo::timers::future::TimeoutFuture;
use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{MessageEvent, Worker};

use super::scope::scope;
use crate::loading::start_worker;

/// After this time a patch is given up: images of 4 MB take some seconds.
const LONGEST_MILLIS: u32 = 60_000;

/// Stops the maker when it is dropped.
struct Running(Worker);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.terminate();
    }
}

/// Makes a patch; `told` hears how far it is, in percent. `None`: it did not work out.
pub(super) async fn make(base: &[u8], target: &[u8], told: impl Fn(u32)) -> Option<Vec<u8>> {
    let maker = Running(start_worker("maker_main")?);
    let (said, mut heard) = unbounded();
    let died = said.clone();
    let message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        _ = said.unbounded_send(event.data());
    });
    maker.0.set_onmessage(Some(message.as_ref().unchecked_ref()));
    let error = Closure::<dyn FnMut()>::new(move || _ = died.unbounded_send(JsValue::NULL));
    maker.0.set_onerror(Some(error.as_ref().unchecked_ref()));
    let mut limit = TimeoutFuture::new(LONGEST_MILLIS).fuse();
    loop {
        let said = select_biased! {
            said = heard.next() => said?,
            () = limit => return None,
        };
        if said == JsValue::TRUE {
            let pair = Array::of2(&Uint8Array::from(base), &Uint8Array::from(target));
            maker.0.post_message(&pair).ok()?;
        } else if let Some(thousandths) = said.as_f64() {
            told((thousandths / 10.0) as u32);
        } else {
            return said.dyn_into::<Uint8Array>().ok().map(|patch| patch.to_vec());
        }
    }
}

fn say(value: &JsValue) {
    // It fails only if nobody is left to hear it.
    _ = scope().post_message(value);
}

/// The maker's entry point.
#[wasm_bindgen]
pub fn maker_main() {
    let heard = Closure::<dyn FnMut(MessageEvent)>::new(|event: MessageEvent| {
        let pair = Array::from(&event.data());
        let bytes = |at| Uint8Array::new(&pair.get(at)).to_vec();
        let (base, target) = (bytes(0), bytes(1));
        let patch = make_proved(&base, &target, &Options::default(), &mut |done| say(&done.into()));
        match patch {
            Ok(patch) => say(&Uint8Array::from(patch.bytes.as_slice())),
            Err(_) => say(&JsValue::NULL),
        }
    });
    scope().set_onmessage(Some(heard.as_ref().unchecked_ref()));
    heard.forget();
    say(&JsValue::TRUE);
}
