//! A BBC micro:bit (nRF51822) as bootloader and applications see it: its memory, its line, who it is.
#![no_std]

use bootlace_core::board::Identity;
use bootlace_core::chip::{Chip, Map, OneChip, Region};
use bootlace_core::link::Link;
use bootlace_cortex_m::{Keys, stored_identity};
use bootlace_nrf::{Nvmc, is_grounded};

mod nvmc;
mod registers;
mod uart;

pub use bootlace_nrf::{Clock, Timer, Watchdog, reset_reason, serial};
pub use nvmc::Pages;
pub use uart::{Uart, arrived};

bootlace_cortex_m::interrupts! {
    /// UART0.
    Uart = 2,
    /// TIMER0.
    Timer = 8,
}

/// Erase unit of the chip.
const PAGE: u32 = 1024;
/// Pages before everything else: the bootloader's own. Its budget, and whole blocks of what [`lock_bootloader`] locks.
const BOOTLOADER: u32 = 44;
/// Pages of the slots. The secondary has the one more that swaps need; what both can hold is then 103 pages.
const PRIMARY: u32 = 104;
const SECONDARY: u32 = 105;

/// The chip, whose flash the processor sees at 0.
#[derive(Clone, Copy, Debug)]
pub struct Nrf51822;

impl Chip for Nrf51822 {
    const BASE: u32 = 0;
    /// Bootloader, state, primary slot, secondary slot; the last page is the application's own.
    const MAP: Map = Map {
        state: Region::units(PAGE, BOOTLOADER, 2),
        primary: Region::units(PAGE, BOOTLOADER + 2, PRIMARY),
        secondary: Region::units(PAGE, BOOTLOADER + 2 + PRIMARY, SECONDARY),
        golden: None,
    };
}

/// The areas that the core knows.
pub fn flash() -> OneChip<Nvmc<Pages>, Nrf51822> {
    OneChip::new(Nvmc::default())
}

/// Largest packet: a page of flash and the message around it.
pub const FRAME: usize = 1024 + 64;
/// One packet at a time: the processor stands still while flash is erased, and its line has 6 bytes of memory.
pub const WINDOW: usize = 1;
/// Bytes that a link needs for that and for the longest reply.
pub const LINK: usize = Link::<&mut [u8]>::memory(FRAME, WINDOW);

/// Where the identity block lies: the last bytes of the bootloader's, as `memory.x` has it.
const IDENTITY: usize = (BOOTLOADER * PAGE) as usize - bootlace_identity::LEN;

/// Who the board is, by its identity block. `serial` is [`serial`]'s.
pub fn identity<'a>(serial: &'a str, keys: &'a mut Keys) -> Identity<'a> {
    stored_identity(IDENTITY, serial, keys)
}

/// Locks the bootloader's pages against writing and erasing until the next reset: the last thing before an application
/// starts. (The emulator does not model it.)
pub fn lock_bootloader() {
    // A bit for each 4 KB.
    const BLOCK: u32 = 4 * 1024;
    const BLOCKS: u32 = BOOTLOADER * PAGE / BLOCK;
    const { assert!(BOOTLOADER * PAGE == BLOCKS * BLOCK && BLOCKS < 32) };
    registers::write(registers::PROTECT, (1 << BLOCKS) - 1);
}

/// Whether button A is held down.
pub fn is_button_held() -> bool {
    const BUTTON_A: usize = 17;
    is_grounded(BUTTON_A)
}
