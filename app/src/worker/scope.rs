//! The worker's own global scope: its clock, its timer, and the way to the view.

use bootlace_engine::Instant;
use gloo::timers::future::TimeoutFuture;
use wasm_bindgen::prelude::*;
use web_sys::{DedicatedWorkerGlobalScope, WorkerGlobalScope};

use super::timer::timer_millis;
use crate::messages::{LogFact, Notice};

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

/// Writes a line of the log.
pub(super) fn log(fact: LogFact) {
    tell(&Notice::Log(fact));
}

/// Microseconds since the worker started.
pub(super) fn now() -> Instant {
    let millis = WorkerGlobalScope::performance(&scope()).map_or(0.0, |performance| performance.now());
    Instant((millis * 1000.0) as u64)
}

/// Waits until a moment, or a little longer; for a moment that is weeks away, not that long.
pub(super) async fn sleep_until(deadline: Instant) {
    TimeoutFuture::new(timer_millis(deadline.0.saturating_sub(now().0))).await;
}
