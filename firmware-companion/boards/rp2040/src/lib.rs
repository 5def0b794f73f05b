//! A board with an RP2040 as bootloader and applications see it: its memory, its line, who it is. Made for the Raspberry
//! Pi Pico; boards with another name, another pin for the bootloader or more flash change a constant here.
#![no_std]

use bootlace_core::board::Identity;
use bootlace_core::chip::{Chip, Map, OneChip, Region};
use bootlace_core::link::Link;
use bootlace_cortex_m::{Keys, hexadecimal, stored_identity};
use bootlace_usb::{Names, UsbLine};
use usb_device::bus::UsbBusAllocator;

mod buffers;
pub mod clocks;
mod flash;
mod interrupt;
mod pins;
mod received;
mod registers;
mod timer;
mod usb;
mod watchdog;

pub use flash::SpiFlash;
pub use interrupt::Interrupt;
pub use pins::{is_bootloader_pin_low, show_bootloader};
pub use timer::{Clock, woken};
pub use usb::Usb;
pub use watchdog::{Watchdog, reset, reset_reason};

/// Sectors before the slots: the bootloader, and its records. Slots begin at 64 KB.
const STATE: u32 = 14;
const SLOTS: u32 = 16;
/// Sectors of the slots. The secondary has the one more that swaps need; what both can hold is then 244 sectors, 976 KB.
const PRIMARY: u32 = 245;
const SECONDARY: u32 = 246;

/// The flash chip of a Raspberry Pi Pico, and where on it everything lies.
#[derive(Clone, Copy, Debug)]
pub struct Flash2Mb;

impl Chip for Flash2Mb {
    const BASE: u32 = flash::BASE;
    /// Bootloader, state, primary slot, secondary slot; the last 20 KB are the application's own.
    const MAP: Map = Map {
        state: Region::units(flash::SECTOR, STATE, 2),
        primary: Region::units(flash::SECTOR, SLOTS, PRIMARY),
        secondary: Region::units(flash::SECTOR, SLOTS + PRIMARY, SECONDARY),
        golden: None,
    };
}

/// The areas that the core knows.
pub fn flash() -> OneChip<SpiFlash, Flash2Mb> {
    OneChip::new(SpiFlash)
}

/// Largest packet: a quarter of a sector and the message around it.
pub const FRAME: usize = 1024 + 64;
/// Packets that may arrive while one is written.
pub const WINDOW: usize = 4;
/// Bytes that a link needs for that and for the longest reply.
pub const LINK: usize = Link::<&mut [u8]>::memory(FRAME, WINDOW);

/// Vendor and product on USB: pid.codes' numbers for tests. A product has its own.
const USB: (u16, u16) = (0x1209, 0x0001);

/// Where the identity block lies: the last bytes of the bootloader's, as `memory.x` has it.
const IDENTITY: usize = (flash::BASE + STATE * flash::SECTOR) as usize - bootlace_identity::LEN;

/// Who the board is, by its identity block. `serial` is [`serial`]'s.
pub fn identity<'a>(serial: &'a str, keys: &'a mut Keys) -> Identity<'a> {
    stored_identity(IDENTITY, serial, keys)
}

/// Digits of a serial number.
pub const SERIAL: usize = 2 * flash::UNIQUE_ID;

/// The flash chip's own number in hexadecimal: the RP2040 has none.
pub fn serial(text: &mut [u8; SERIAL]) -> &str {
    hexadecimal(text, flash::unique_id())
}

/// Opens the line of this board: the host sees the board from now on.
pub fn open<'a>(bus: &'a UsbBusAllocator<Usb>, board: &Identity<'a>) -> UsbLine<'a, Usb> {
    let names = Names {
        numbers: USB,
        product: board.name,
        serial: board.serial,
    };
    UsbLine::open(bus, names)
}
