//! A board's identity block: the keys that it trusts, its name, whom images must be for and its product's rules, in one
//! block at a fixed place of the bootloader's flash. The build writes it, a tool can fill it later without compiling, and
//! the bootloader reads it at every start.
//!
//! Version 1, numbers with the lowest byte first:
//!
//! | offset | bytes | |
//! |---|---|---|
//! | 0 | 8 | [`MAGIC`] |
//! | 8 | 2 | version: 1 |
//! | 10 | 2 | bytes that the checksum covers: 252 |
//! | 12 | 1 | [`Policy::attempts`](bootlace_core::board::Policy::attempts) |
//! | 13 | 1 | flags: from bit 0 on `permanent`, `development_keys`, `counter_required`, `confirm_over_wire`, `no_downgrade`; bit 5 there is a vendor, bit 6 a class |
//! | 14 | 2 | [`Policy::deadline`](bootlace_core::board::Policy::deadline) in seconds |
//! | 16 | 2 | [`Policy::idle_return`](bootlace_core::board::Policy::idle_return) in seconds; 0: never |
//! | 18 | 1 | bytes of the name, 1 to 32 |
//! | 19 | 1 | keys, 1 or 2 |
//! | 20 | 4 | rules of [`Policy::allow`](bootlace_core::board::Policy::allow), as [`Allow::from_bits`](bootlace_core::allow::Allow::from_bits) takes them |
//! | 24 | 16 | vendor |
//! | 40 | 16 | class |
//! | 56 | 32 | name, printable ASCII |
//! | 88 | 132 | two keys: 0 for P-256 or 1 for Ed25519, and 65 bytes of which Ed25519 takes 32 |
//! | 220 | 1 | the kinds of keys of which the bootloader around the block checks signatures ([`KeyKinds`]): bit 0 P-256, bit 1 Ed25519; 0: not said |
//! | 221 | 31 | 0, for what is to come |
//! | 252 | 4 | CRC-32 (IEEE 802.3) of all before |
//!
//! A block that holds [`MAGIC`] and is erased behind it is blank: the build of a bootloader that is to be filled later. The kinds at
//! 220 stand in a blank block as well (erased: not said): the build writes them, and who fills the block keeps them.
#![no_std]

#[cfg(test)]
extern crate std;

mod block;
mod kinds;
mod read;
mod write;

pub use block::{Damage, LEN, MAGIC, MAX_KEYS, MAX_NAME};
pub use kinds::{KeyKinds, blank};
pub use read::{Keys, of_board, read, without};
pub use write::{Unfit, encode, find};

#[cfg(test)]
mod tests;
