//! How an image gets into the primary slot.

pub(crate) mod copy;
pub mod swap;
