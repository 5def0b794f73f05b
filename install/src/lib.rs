//! The first install: a companion, and what it starts, into a chip by the loader that the chip came with.
//!
//! An [`Installation`] is one run of it, without I/O and without a clock: it asks for [`Action`](bootlace_loader::Action)s
//! at the device, or for time, and is handed what came of them, and says what goes on as [`News`]. [`boards`] says which boards there are,
//! and what goes where on them; [`companion`] makes a companion to measure.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod boards;
pub mod companion;
mod file;
mod installation;
mod package;
mod plan;
#[cfg(test)]
mod tests;

pub use boards::{Board, Drive, OtherDrive, Way};
pub use file::{Format, held};
pub use installation::{Ended, Installation, News, Next, Work};
pub use package::{Unpackaged, package};
pub use plan::{FlashPlan, Part, Unfit};
