//! Memory maps of boards whose drivers no emulator runs, and what asks for their bootloader: everything of these boards that is not
//! register access, so that this machine can test it.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod nrf52840;
pub mod stm32f407;

#[cfg(test)]
mod tests;
