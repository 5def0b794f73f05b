//! What the page and the parts of it that are loaded when they are wanted have in common: drawings, small pieces of what is
//! seen, what inputs say, and the window's own services.

pub mod icons;
pub mod inputs;
pub mod pieces;
mod sentence_card;
#[cfg(target_arch = "wasm32")]
pub mod web_api;
#[cfg(target_arch = "wasm32")]
pub mod window;

pub use sentence_card::{CardProps, SentenceCard};
