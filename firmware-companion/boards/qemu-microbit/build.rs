//! The linker's view of the memory, and the key that the board trusts.

fn main() -> Result<(), String> {
    bootlace_board_build::bootloader()
}
