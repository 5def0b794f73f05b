//! The linker's view of the memory.

fn main() -> Result<(), String> {
    bootlace_board_build::no_interrupts()?;
    bootlace_board_build::application("../../nrf52840-uf2")
}
