//! Models of the loaders that STM32 chips have in ROM, written from their documents, whose sections stand at each rule. Where a
//! document leaves something open, a model does what makes a host's work harder; a [`Habits`](dfuse::Habits) says which of several
//! readings it follows.
//!
//! A model has no clock: it is told how much time has passed. It speaks bytes and setup packets, not the project's own types, so that
//! published tools can be put before it.
#![forbid(unsafe_code)]

pub mod dfuse;
pub mod flash;
pub mod random;
pub mod uart;
