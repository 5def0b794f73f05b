//! The worker: it owns every port and runs one session per board.
//!
//! - [`hub`] knows the boards, the ports, the image and the keys, and who may use which port.
//! - [`station`] is one board: its session, its port, its timer.
//! - [`link`] is the way to a board: [`serial`] or [`simulated`].
//! - [`patches`] are made by [`maker`], a worker of its own, from images that [`store`] keeps.
//! - [`cards`] turns what the engine says into what the page shows.

pub mod cards;

#[cfg(target_arch = "wasm32")]
mod hub;
#[cfg(target_arch = "wasm32")]
mod link;
#[cfg(target_arch = "wasm32")]
mod locks;
#[cfg(target_arch = "wasm32")]
mod maker;
#[cfg(target_arch = "wasm32")]
mod patches;
#[cfg(target_arch = "wasm32")]
pub(crate) mod serial;
#[cfg(target_arch = "wasm32")]
mod simulated;
#[cfg(target_arch = "wasm32")]
mod station;
#[cfg(target_arch = "wasm32")]
mod store;

#[cfg(target_arch = "wasm32")]
pub use entry::worker_main;
#[cfg(target_arch = "wasm32")]
pub use maker::maker_main;

#[cfg(target_arch = "wasm32")]
mod entry {
    use bootlace_engine::Instant;
    use gloo::timers::future::TimeoutFuture;
    use wasm_bindgen::prelude::*;
    use web_sys::{DedicatedWorkerGlobalScope, MessageEvent};

    use super::hub::Hub;
    use crate::messages::{Command, Notice};

    /// The worker that this code runs in.
    pub(super) fn scope() -> DedicatedWorkerGlobalScope {
        js_sys::global().unchecked_into()
    }

    /// Says something to the view.
    pub(super) fn tell(notice: &Notice) {
        // Both fail only if memory runs out or the page is gone: nobody is left to tell.
        if let Ok(bytes) = postcard::to_allocvec(notice) {
            _ = scope().post_message(&js_sys::Uint8Array::from(bytes.as_slice()));
        }
    }

    /// Microseconds since the worker started.
    pub(super) fn now() -> Instant {
        let millis =
            web_sys::WorkerGlobalScope::performance(&scope()).map_or(0.0, |performance| performance.now());
        Instant((millis * 1000.0) as u64)
    }

    /// Waits until a moment, or a little longer.
    pub(super) async fn sleep_until(deadline: Instant) {
        let micros = deadline.0.saturating_sub(now().0);
        TimeoutFuture::new(u32::try_from(micros.div_ceil(1000)).unwrap_or(u32::MAX)).await;
    }

    /// The worker's entry point: takes commands from now on.
    #[wasm_bindgen]
    pub fn worker_main() {
        let hub = Hub::new();
        let commands = hub.clone();
        let heard = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            let bytes = js_sys::Uint8Array::new(&event.data()).to_vec();
            if let Ok(command) = postcard::from_bytes::<Command>(&bytes) {
                commands.command(command);
            }
        });
        scope().set_onmessage(Some(heard.as_ref().unchecked_ref()));
        // It listens as long as the worker lives.
        heard.forget();
        super::serial::on_change(move || hub.ports_changed());
        tell(&Notice::Ready);
    }
}

#[cfg(target_arch = "wasm32")]
use entry::{now, scope, sleep_until, tell};
