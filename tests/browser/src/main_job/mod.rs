//! The main job as a person does it in the page: choose an image, see who signed it, connect a board, update, see
//! the outcome. `cargo xtask run --check` and the end-to-end tests share it.

mod check;
pub mod field;
mod steps;

pub use check::{check, check_one};
pub use steps::*;
