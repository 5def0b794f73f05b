//! A browser that tests drive, and the main job of the page as a function that `cargo xtask run --check` and the end-to-end
//! tests share.

mod browser;
mod folder;
pub mod main_job;
mod wait;
pub mod webdriver;

pub use browser::{Browser, SOON, Scheme};
pub use folder::Folder;
pub use wait::wait_for;
