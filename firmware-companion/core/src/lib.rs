//! The companion bootloader without its chip: SMP server, slots, swap and boot decision.
//!
//! Everything here is sans-IO: [`link::Link`] takes bytes and gives bytes, and [`Companion::poll`] does at most one bounded
//! thing a call and returns what is next. The binary of a board moves bytes between its port and the link, feeds its
//! watchdog, and polls again. The core can name the two slots and the state area and nothing else ([`flash::Area`]), so it can
//! never touch the bootloader's own region.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod allow;
mod applier;
pub mod board;
pub mod boot;
pub mod check;
pub mod chip;
pub mod companion;
pub mod flash;
pub mod install;
pub mod intake;
pub mod layout;
pub mod link;
pub mod server;
pub mod serving;
pub mod slots;
pub mod state;
pub mod trailer;
pub mod wire;

pub use applier::Applier;
pub use companion::Companion;
pub use serving::{Next, Owner};
