//! The linker's view of the memory, and the identity that the board is built with.

use bootlace_core::board::Policy;

fn main() -> Result<(), String> {
    bootlace_board_build::no_interrupts()?;
    let policy = Policy {
        deadline: 30,
        ..Policy::default()
    };
    bootlace_board_build::bootloader("nRF52840 with UF2", policy)
}
