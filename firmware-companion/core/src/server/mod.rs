//! The SMP server, the same in the bootloader and in an application.
//!
//! Packets arrive on a [`Wire`](crate::wire::Wire) without any I/O; [`Server::step`] answers them and does at most one
//! flash operation, or one step of an image's check, a call. `request` makes a packet a value, `dispatch` does what it
//! asks for, `keeper` knows what may be done.

mod answer;
mod describe;
mod dispatch;
mod images;
mod keeper;
mod marking;
mod request;
mod role;
mod upload;

pub use dispatch::{Server, Step};
pub use role::{Bootloader, Runner, Running};
