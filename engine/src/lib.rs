//! The update engine: sans-IO, used by the page and by the command line.
//!
//! A [`Session`] is one board's. It knows no port, no clock and no executor: the driver hands it what arrived
//! ([`Session::handle_input`], [`Session::handle_port`], [`Session::handle_timeout`]) and takes what is to be done
//! ([`Session::poll_transmit`], [`Session::poll_event`], [`Session::poll_timeout`]). Time is an argument; timers may
//! fire late (a hidden tab's do, by a second), never early.
//!
//! The driver's loop, after each thing that happened:
//! 1. hand over bytes that arrived before timeouts that are due,
//! 2. write all of `poll_transmit` to the port, in order,
//! 3. take all of `poll_event`,
//! 4. wake up at `poll_timeout` at the latest.
//!
//! Ports: a session starts with an open one. Tell it [`PortEvent::Lost`] when reading or writing fails, and
//! [`PortEvent::Opened`] whenever a port is open again, for whatever reason. When it says [`Event::FindBoard`], open
//! the ports that may be the board's, one after another: [`Event::WrongBoard`] means close this one and try the next,
//! [`PortEvent::NotFound`] that there is none left (the session asks again).
//!
//! A driver with several boards asks at each port once with a [`Greeter`] instead, hands the board to the session that
//! waits for it with [`Session::adopt`], and lets a [`Turns`] say which session that is and whose board may restart.
//!
//! The board is the authority: progress is what it acknowledged, and an outcome is what it said after it restarted.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod board;
mod command;
mod context;
mod error;
mod event;
mod file_kind;
mod greet;
mod hash;
mod identify;
mod image;
mod keys;
mod line;
mod meter;
mod patch;
mod phase;
mod piece;
mod plan;
mod search;
mod session;
mod state;
mod text;
mod time;
mod transmit;
mod turns;
mod update;
mod upload;
mod wanted;
#[cfg(feature = "words")]
pub mod words;

pub use board::{BoardInfo, Exchange, Rollback, SlotImage, SlotInfo};
pub use bootlace_smp::bootlace::{
    BootState, JournalEntry, JournalOutcome, Release, Reset as ResetCause, Role, RollbackReason, Supply,
    Trial,
};
pub use bootlace_smp::frame::Framing;
pub use bootlace_smp::usb;
pub use error::{Asked, Code, Error, Failure};
pub use event::{Attention, Command, Event, Outcome, PortEvent, PortInfo, Progress, Unchanged, Witness};
pub use file_kind::FileKind;
pub use greet::{Greeted, Greeter};
pub use hash::is_listed_as;
pub use image::{CheckedImage, Dependency, read_image};
pub use keys::read_keys;
pub use patch::{Base, Content, NoPatch, Saving};
pub use phase::Phase;
pub use plan::{Confirm, Job, Options, Plan, Restart, Route, Way, wanted_base, worth_sending};
pub use session::Session;
pub use text::visible;
pub use time::Instant;
pub use transmit::{PortSettings, Transmit};
pub use turns::{Claim, Turns};
pub use wanted::{FindReason, Match, Wanted};

#[cfg(test)]
mod tests;
