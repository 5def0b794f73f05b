//! The page of Bootlace: choose an image, see the board, update it, watch how that ends.
//!
//! One WASM module with two entry points. In the window it is the view: a reducer ([`state`]), components that draw it
//! ([`view`]), and the window's own services. In a worker ([`worker`]) it owns every port and runs one session per
//! board. The two talk in plain data ([`messages`]). Sentences are made where they are shown, by
//! `bootlace_engine::words`.

#[cfg(target_arch = "wasm32")]
mod app;
#[cfg(target_arch = "wasm32")]
mod loading;
pub mod messages;
#[cfg(target_arch = "wasm32")]
mod new_board;
#[cfg(target_arch = "wasm32")]
mod platform;
pub mod state;
pub mod view;
#[cfg(target_arch = "wasm32")]
mod web_serial;
#[cfg(target_arch = "wasm32")]
mod web_usb;
pub mod worker;
#[cfg(target_arch = "wasm32")]
mod worker_handle;

/// The window's entry point: draws the page. In a worker it does nothing: a worker waits for
/// [`worker_main`](worker::worker_main).
#[cfg(target_arch = "wasm32")]
pub fn start() {
    if web_sys::window().is_some() {
        app::start();
    }
}
