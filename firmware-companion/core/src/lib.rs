//! The companion bootloader without its chip: SMP server, slots, swap and boot decision.
//!
//! Everything here is sans-IO: [`link::Link`] takes bytes and gives bytes, [`boot::Loader::step`] and
//! [`server::Server::step`] do at most one bounded flash operation a call, and the binary of a board only acts on what
//! they return. The core can name the two slots and the state area and nothing else ([`flash::Area`]), so it can
//! never touch the bootloader's own region.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

#[cfg(feature = "delta")]
pub use bootlace_delta::Applier;

pub mod board;
pub mod boot;
pub mod flash;
pub mod install;
pub mod layout;
pub mod link;
pub mod server;
pub mod slots;
pub mod state;
pub mod trailer;
