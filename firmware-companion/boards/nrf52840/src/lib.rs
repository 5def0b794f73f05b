//! A board with an nRF52840 as bootloader and applications see it: its memory, its line, who it is. Made for Nordic's
//! nRF52840 DK; with a feature for Nordic's dongle, or for boards with Adafruit's bootloader. Boards with other pins change a
//! constant here. Where everything lies is in `bootlace-maps`, which this machine tests. It has not run on hardware.
#![no_std]

use bootlace_core::board::Identity;
use bootlace_core::chip::{Chip as _, OneChip};
use bootlace_core::link::Link;
use bootlace_cortex_m::{Keys, stored_identity};
#[cfg(feature = "dongle")]
use bootlace_maps::nrf52840::Dongle as Place;
#[cfg(not(feature = "behind-loader"))]
use bootlace_maps::nrf52840::Nrf52840 as Place;
#[cfg(feature = "uf2")]
use bootlace_maps::nrf52840::Uf2 as Place;
use bootlace_maps::nrf52840::{asks_for_bootloader, bootloader_end, locked};
use bootlace_nrf::{Nvmc, is_grounded};

mod nvmc;
mod registers;
mod usb;

pub use bootlace_nrf::{Clock, Timer, Watchdog, reset_reason, serial};
pub use nvmc::Pages;
pub use usb::{Bus, CabledLine, bus};

use registers::{read, write};

/// Pins of a button and an LED, both to ground: button 1 and LED 1 of the DK, P0.11 and P0.13.
#[cfg(not(feature = "behind-loader"))]
const PINS: Option<(usize, usize)> = Some((11, 13));
/// The dongle's: SW1 and the green LD1, P1.06 and P0.06.
#[cfg(feature = "dongle")]
const PINS: Option<(usize, usize)> = Some((32 + 6, 6));
/// None: what a pin of such a board is connected to, nobody knows here.
#[cfg(feature = "uf2")]
const PINS: Option<(usize, usize)> = None;

/// The areas that the core knows.
pub fn flash() -> OneChip<Nvmc<Pages>, Place> {
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
    let end = const { bootloader_end(&Place::MAP) as usize };
    stored_identity(end - bootlace_identity::LEN, serial, keys)
}

/// Whether another bootloader's word asks for this one; forgotten once asked.
pub fn is_asked_by_register() -> bool {
    let word = read(registers::RETAINED);
    write(registers::RETAINED, 0);
    asks_for_bootloader(word as u8)
}

/// Whether the button is held down.
pub fn is_button_held() -> bool {
    PINS.is_some_and(|(button, _)| is_grounded(button))
}

/// Lights the LED: the bootloader stays and waits for an update.
pub fn show_bootloader() {
    if let Some((_, led)) = PINS {
        write(registers::PINS_OUTPUT, 1 << led);
        write(registers::PINS_CLEAR, 1 << led);
    }
}

/// The last thing before an application starts: locks bootloader and records, and all before them, against writing and erasing
/// until the next reset, and leaves timer, USB and crystal as they were found.
pub fn leave() {
    Timer::stop();
    usb::stop();
    const NO_WRITING: u32 = 1 << 1;
    let locked = const { locked(&Place::MAP) };
    write(registers::ACL_ADDRESS, locked.start);
    write(registers::ACL_SIZE, locked.end - locked.start);
    write(registers::ACL_PERMISSION, NO_WRITING);
}
