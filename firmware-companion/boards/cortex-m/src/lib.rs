//! What the companion's Cortex-M boards share: the serving loop, the jump, words that survive a reset.
//!
//! A board's own file holds its registers, its memory map and its identity; everything else is here or in the core.
#![no_std]

#[cfg(feature = "forward")]
mod forward;
mod hexadecimal;
mod identity;
mod jump;
mod mapped;
mod millis;
mod programs;
pub mod retained;
mod serve;
#[cfg(feature = "small")]
mod small;

pub use bootlace_identity::Keys;
pub use hexadecimal::hexadecimal;
pub use identity::stored_identity;
pub use jump::{fault, jump, reset};
pub use mapped::read_mapped;
pub use millis::Millis;
pub use serve::{Clock, Conversation, Exit, Gauge, Line, PIECE, Parts, Watchdog, serve};
