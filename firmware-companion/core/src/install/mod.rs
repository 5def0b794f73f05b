//! The ways in which an image gets into the primary slot: swap so far.
//!
//! Which way a board uses is [`Layout`](crate::layout::Layout)'s to say; `boot` drives it, and `server/dispatch` reports it to
//! hosts as the bootloader's mode.

pub(crate) mod copy;
pub mod swap;
