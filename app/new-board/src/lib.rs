//! “New board”: a board gets its first companion from the page.
//!
//! A program of its own, which the page loads when it is wanted: installers, identity blocks and this view weigh nothing before.
//! It draws beside the page, never in it: two programs of Yew that share elements would hear each other's events.
//!
//! [`state`] is the reducer, [`view`] what is seen, both without a browser; `hands` act, `browser` has each thing of the browser
//! that they use: companions, keys, files, USB devices, drives.

#[cfg(target_arch = "wasm32")]
mod app;
#[cfg(target_arch = "wasm32")]
mod browser;
#[cfg(target_arch = "wasm32")]
mod hands;
pub mod making;
#[cfg(target_arch = "wasm32")]
mod run;
pub mod state;
pub mod view;

#[cfg(target_arch = "wasm32")]
pub use app::open;
