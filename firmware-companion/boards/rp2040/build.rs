//! The linker's view of the memory, and the key that the board trusts.
#![allow(clippy::panic, reason = "a build that can't go on says so this way")]

fn main() {
    bootlace_trusted_key::build_bootloader().unwrap_or_else(|problem| panic!("{problem}"));
}
