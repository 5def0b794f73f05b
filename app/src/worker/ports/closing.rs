//! Closing a port that may be gone.

use futures_util::future::{LocalBoxFuture, select};
use gloo::timers::future::TimeoutFuture;

/// The longest time that closing may take: a driver can hang in it.
const CLOSING_MILLIS: u32 = 1500;

/// Waits until a port is closed, for as long as that may take.
pub(super) async fn in_time(closing: LocalBoxFuture<'_, ()>) {
    select(closing, TimeoutFuture::new(CLOSING_MILLIS)).await;
}
