//! Starts the half of the page that this thread is for.

fn main() {
    #[cfg(target_arch = "wasm32")]
    bootlace_app::start();
}
