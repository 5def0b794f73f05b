//! A board with an nRF52840 as bootloader and applications see it: its memory, its line, who it is. Made for Nordic's
//! nRF52840 DK; boards with other pins change a constant here. Where everything lies is in `bootlace-maps`, which this machine
//! tests. It has not run on hardware.
#![no_std]

use bootlace_core::board::Identity;
use bootlace_core::chip::OneChip;
use bootlace_core::link::Link;
use bootlace_cortex_m::{Keys, stored_identity};
use bootlace_maps::nrf52840::{BOOTLOADER_END, LOCKED, Nrf52840, asks_for_bootloader};
use bootlace_nrf::{Nvmc, is_grounded};

mod nvmc;
mod registers;
mod usb;

pub use bootlace_nrf::{Clock, Timer, Watchdog, reset_reason, serial};
pub use nvmc::Pages;
pub use usb::{Bus, CabledLine, bus};

use registers::{read, write};

/// Button 1 and LED 1 of the DK: both connect the pin to ground.
const BUTTON: usize = 11;
const LED: usize = 13;

/// The areas that the core knows.
pub fn flash() -> OneChip<Nvmc<Pages>, Nrf52840> {
    OneChip::new(Nvmc::default())
}

/// Largest packet: a quarter of a page and the message around it.
pub const FRAME: usize = 1024 + 64;
/// Packets that may arrive while one is written.
pub const WINDOW: usize = 4;
/// Bytes that a link needs for that and for the longest reply.
pub const LINK: usize = Link::<&mut [u8]>::memory(FRAME, WINDOW);

/// Who the board is, by its identity block. `serial` is [`serial`]'s.
pub fn identity<'a>(serial: &'a str, keys: &'a mut Keys) -> Identity<'a> {
    stored_identity(BOOTLOADER_END as usize - bootlace_identity::LEN, serial, keys)
}

/// Whether another bootloader's word asks for this one; forgotten once asked.
pub fn is_asked_by_register() -> bool {
    let word = read(registers::RETAINED);
    write(registers::RETAINED, 0);
    asks_for_bootloader(word as u8)
}

/// Whether button 1 is held down.
pub fn is_button_held() -> bool {
    is_grounded(BUTTON)
}

/// Lights LED 1: the bootloader stays and waits for an update.
pub fn show_bootloader() {
    write(registers::PINS_OUTPUT, 1 << LED);
    write(registers::PINS_CLEAR, 1 << LED);
}

/// The last thing before an application starts: locks bootloader and records against writing and erasing until the next reset,
/// and leaves timer, USB and crystal as they were found.
pub fn leave() {
    Timer::stop();
    usb::stop();
    const NO_WRITING: u32 = 1 << 1;
    write(registers::ACL_ADDRESS, LOCKED.start);
    write(registers::ACL_SIZE, LOCKED.end - LOCKED.start);
    write(registers::ACL_PERMISSION, NO_WRITING);
}
