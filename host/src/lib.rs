//! Sessions of the update engine over this machine's serial ports: ports are listed, opened, read by a thread each, and
//! handed to a [`Session`](bootlace_engine::Session) with the time.
//!
//! Nothing here prints or ends a program: a [`Driver`] says what happens as [`Notice`]s, and errors are named facts,
//! whose sentences are the caller's.
#![forbid(unsafe_code)]

mod candidates;
mod driver;
mod error;
mod port;

pub use candidates::Candidates;
pub use driver::{Driver, Notice, Settings};
pub use error::{Error, Unusable};
