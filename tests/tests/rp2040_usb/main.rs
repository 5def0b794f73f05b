//! The emulated Pico's USB, as good and bad hosts use it: what the board's binary says of itself, and that it answers the next
//! good host on both functions whatever the last one did.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod board;
mod control;
mod descriptors;
mod hosts;
