//! A board with an STM32F407 as bootloader and applications see it: its memory, its line, who it is. Made for ST's
//! STM32F4DISCOVERY; boards with other pins or another crystal change a constant here. Where everything lies is in
//! `bootlace-maps`, which this machine tests. It has not run on hardware.
#![no_std]

use bootlace_core::board::Identity;
use bootlace_core::chip::OneChip;
use bootlace_core::link::Link;
use bootlace_cortex_m::{Keys, hexadecimal, stored_identity};
use bootlace_maps::stm32f407::{self, BASE, BOOTLOADER_END, Stm32f407};
use bootlace_smp::bootlace::Reset;

mod clocks;
mod flash;
mod pins;
mod registers;
mod timer;
mod usb;
mod watchdog;

pub use clocks::start as start_clocks;
pub use flash::Flash;
pub use pins::{is_button_held, show_bootloader};
pub use timer::Clock;
pub use usb::{Bus, ClockedLine, PACKETS, bus};
pub use watchdog::Watchdog;

use registers::{RESET_REASON, UNIQUE_ID, change, read};

/// The areas that the core knows.
pub fn flash() -> OneChip<Flash, Stm32f407> {
    OneChip::new(Flash)
}

/// Largest packet: a piece of an image and the message around it.
pub const FRAME: usize = 1024 + 64;
/// Packets that may arrive while one is written.
pub const WINDOW: usize = 4;
/// Bytes that a link needs for that and for the longest reply.
pub const LINK: usize = Link::<&mut [u8]>::memory(FRAME, WINDOW);

/// Who the board is, by its identity block. `serial` is [`serial`]'s.
pub fn identity<'a>(serial: &'a str, keys: &'a mut Keys) -> Identity<'a> {
    const BLOCK: usize = (BASE + BOOTLOADER_END) as usize - bootlace_identity::LEN;
    stored_identity(BLOCK, serial, keys)
}

/// Digits of a serial number.
pub const SERIAL: usize = 24;

/// The chip's own number of 96 bits in hexadecimal.
pub fn serial(text: &mut [u8; SERIAL]) -> &str {
    // The highest word first, and of each word the highest byte.
    let words = [8, 4, 0].map(|word| read(UNIQUE_ID + word).to_be_bytes());
    hexadecimal(text, words.into_iter().flatten())
}

/// Why the chip last started; forgotten once asked.
pub fn reset_reason() -> Reset {
    let status = read(RESET_REASON);
    const FORGET: u32 = 1 << 24;
    change(RESET_REASON, 0, FORGET);
    stm32f407::reset_reason(status)
}

/// The last thing before an application starts: leaves clocks, timer, pins and USB as after a reset. Nothing is locked: what the
/// chip has for that stays until it is changed on purpose, so the factory decides.
pub fn leave() {
    clocks::stop();
}
