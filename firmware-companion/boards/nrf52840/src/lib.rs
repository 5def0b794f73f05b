//! A board with an nRF52840 as bootloader and applications see it: its memory, its line, who it is. Made for Nordic's
//! nRF52840 DK; boards with other pins change a constant here. Where everything lies is in `bootlace-maps`, which this machine
//! tests. It has not run on hardware.
#![no_std]

use bootlace_core::board::Identity;
use bootlace_core::chip::OneChip;
use bootlace_core::link::Link;
use bootlace_cortex_m::{Keys, hexadecimal, stored_identity};
use bootlace_maps::nrf52840::{BOOTLOADER_END, LOCKED, Nrf52840, asks_for_bootloader};
use bootlace_smp::bootlace::Reset;

mod nvmc;
mod registers;
mod timer;
mod usb;
mod watchdog;

pub use nvmc::Nvmc;
pub use timer::Clock;
pub use usb::{Bus, CabledLine, bus};
pub use watchdog::Watchdog;

use registers::{read, write};

/// Button 1 and LED 1 of the DK: both connect the pin to ground.
const BUTTON: usize = 11;
const LED: usize = 13;

/// The areas that the core knows.
pub fn flash() -> OneChip<Nvmc, Nrf52840> {
    OneChip::new(Nvmc)
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

/// The chip's own number in hexadecimal.
pub fn serial(text: &mut [u8; 16]) -> &str {
    // The higher word first, and of each word the highest byte.
    let words = [4, 0].map(|word| read(registers::DEVICE_ID + word).to_be_bytes());
    hexadecimal(text, words.into_iter().flatten())
}

/// Why the chip last started; forgotten once asked.
pub fn reset_reason() -> Reset {
    let bits = read(registers::RESET_REASON);
    write(registers::RESET_REASON, bits);
    // One bit each, none after power-on; several may stand together, the gravest is told.
    match bits {
        0 => Reset::PowerOn,
        bits if bits & 1 << 1 != 0 => Reset::Watchdog,
        bits if bits & 1 << 3 != 0 => Reset::Fault,
        bits if bits & 1 << 0 != 0 => Reset::Pin,
        _ => Reset::Software,
    }
}

/// Whether another bootloader's word asks for this one; forgotten once asked.
pub fn is_asked_by_register() -> bool {
    let word = read(registers::RETAINED);
    write(registers::RETAINED, 0);
    asks_for_bootloader(word as u8)
}

/// Whether button 1 is held down.
pub fn is_button_held() -> bool {
    // Input with pull-up, which needs less than a microsecond.
    write(registers::PIN_CONFIG + 4 * BUTTON, 3 << 2);
    cortex_m::asm::delay(64);
    read(registers::PINS) & 1 << BUTTON == 0
}

/// Lights LED 1: the bootloader stays and waits for an update.
pub fn show_bootloader() {
    write(registers::PINS_OUTPUT, 1 << LED);
    write(registers::PINS_CLEAR, 1 << LED);
}

/// The last thing before an application starts: locks bootloader and records against writing and erasing until the next reset,
/// and leaves timer, USB and crystal as they were found.
pub fn leave() {
    Clock::stop();
    usb::stop();
    const NO_WRITING: u32 = 1 << 1;
    write(registers::ACL_ADDRESS, LOCKED.start);
    write(registers::ACL_SIZE, LOCKED.end - LOCKED.start);
    write(registers::ACL_PERMISSION, NO_WRITING);
}
