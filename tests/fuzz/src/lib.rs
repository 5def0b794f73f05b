//! What is fuzzed. Each function takes any bytes, must return, and must not panic; what it asserts holds for any bytes.
//!
//! `cargo xtask fuzz` runs them under libFuzzer; the tests of this crate run them over the corpus that it left.
#![forbid(unsafe_code)]
// An assertion that fails is what a fuzzer looks for.
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used)]

mod board;
mod delta;
mod host;
mod loaders;
mod memory;
mod nordic;
mod protocol;

pub use board::{server, state};
pub use delta::delta;
pub use host::{files, session};
pub use loaders::loaders;
pub use memory::memory;
pub use nordic::nordic;
pub use protocol::{frames, images, messages};

/// A target: its name, and what takes the bytes.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 11] = [
    ("frames", frames),
    ("messages", messages),
    ("images", images),
    ("state", state),
    ("delta", delta),
    ("server", server),
    ("files", files),
    ("session", session),
    ("memory", memory),
    ("loaders", loaders),
    ("nordic", nordic),
];

/// Inputs to begin with: what is said and stored when all is well.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    match target {
        "frames" => protocol::frame_seeds(),
        "messages" => protocol::message_seeds(),
        "images" => protocol::image_seeds(),
        "state" => board::state_seeds(),
        "delta" => delta::seeds(),
        "files" => host::file_seeds(),
        "session" => host::session_seeds(),
        "memory" => memory::seeds(),
        "loaders" => loaders::seeds(),
        "nordic" => nordic::seeds(),
        _ => board::server_seeds(),
    }
}
