//! Sessions of the update engine over this machine's ports, serial ones and the vendor interfaces of boards on USB: ports
//! are listed, opened, read by a thread each, and handed to a [`Session`](bootlace_engine::Session) with the time.
//!
//! Nothing here prints or ends a program: a [`Driver`] says what happens as [`Notice`]s, and errors are named facts,
//! whose sentences are the caller's.
#![forbid(unsafe_code)]

mod address;
mod ask;
mod candidates;
mod driver;
mod error;
mod input;
mod listing;
mod loader;
mod loader_port;
mod port;
mod serial;
mod unusable;
mod usb;

pub use address::Address;
pub use candidates::{BadName, Candidates, SeveralBoards};
pub use driver::{Driver, Notice, Settings};
pub use error::Error;
pub use listing::{Listed, listed};
pub use loader::{LoaderDevice, LoaderKind, LoaderLink};
pub use loader_port::LoaderPort;
pub use unusable::Unusable;
pub use usb::UsbBoard;
