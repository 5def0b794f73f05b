//! The flash: a chip of its own on an SPI bus, from which the processor fetches its instructions through a cache. While
//! something is done with it nothing can run from it, so that part lies in RAM and calls routines of the chip's ROM
//! (datasheet, 2.8.3.1.3).

use bootlace_cortex_m::read_mapped;
use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_write,
};

/// Where the processor sees flash.
pub(crate) const BASE: u32 = 0x1000_0000;
/// Bytes of the smallest chip that boards have: 2 MB.
const SIZE: usize = 2 << 20;
/// Bytes that are erased at once, at least.
pub(crate) const SECTOR: u32 = 4096;
/// Bytes that are programmed at once, at most.
const PAGE: usize = 256;
/// Bytes of the chip's own number.
pub(crate) const UNIQUE_ID: usize = 8;

/// The flash chip.
#[derive(Clone, Copy, Debug)]
pub struct SpiFlash;

/// What is done while flash can't be read: routines, and what goes with them. The assembly knows the order.
#[repr(C)]
struct Operation {
    connect: u32,
    leave_reading: u32,
    routine: u32,
    arguments: [u32; 4],
    forget_cache: u32,
    read_again: u32,
}

#[allow(unsafe_code, reason = "assembly")]
mod assembly {
    unsafe extern "C" {
        /// Does an [`super::Operation`]; nothing may run from flash meanwhile.
        pub(super) fn flash_operation(operation: *const super::Operation);
        /// Sends `r1` bytes from `r0` to the flash chip and puts what it answered in their place.
        pub(super) fn flash_command();
    }

    core::arch::global_asm!(
        // RAM that is filled before the program starts.
        ".section .data.flash, \"aw\", %progbits",
        ".align 2",
        ".global flash_operation",
        ".type flash_operation, %function",
        ".thumb_func",
        "flash_operation:",
        "push {{r4, r5, r6, lr}}",
        "mov  r4, r0",
        "ldr  r5, [r4, #0]",
        "blx  r5",
        "ldr  r5, [r4, #4]",
        "blx  r5",
        "ldr  r0, [r4, #12]",
        "ldr  r1, [r4, #16]",
        "ldr  r2, [r4, #20]",
        "ldr  r3, [r4, #24]",
        "ldr  r5, [r4, #8]",
        "blx  r5",
        "ldr  r5, [r4, #28]",
        "blx  r5",
        "ldr  r5, [r4, #32]",
        "blx  r5",
        "pop  {{r4, r5, r6, pc}}",
        ".align 2",
        ".global flash_command",
        ".type flash_command, %function",
        ".thumb_func",
        "flash_command:",
        "push {{r4, r5, lr}}",
        // Chip select by hand: low.
        "ldr  r3, 5f",
        "ldr  r4, 6f",
        "str  r4, [r3]",
        "ldr  r2, 4f",
        "1:",
        "ldrb r4, [r0]",
        "str  r4, [r2, #0x60]",
        "movs r5, #8",
        "2:",
        // Until the answer is there.
        "ldr  r4, [r2, #0x28]",
        "tst  r4, r5",
        "beq  2b",
        "ldr  r4, [r2, #0x60]",
        "strb r4, [r0]",
        "adds r0, #1",
        "subs r1, #1",
        "bne  1b",
        // And high again.
        "ldr  r4, 7f",
        "str  r4, [r3]",
        "pop  {{r4, r5, pc}}",
        ".align 2",
        "4: .word 0x18000000", // SSI
        "5: .word 0x4001800C", // IO_QSPI: control of the chip select
        "6: .word 0x00000200", // low
        "7: .word 0x00000300", // high
    );
}

/// Looks a routine up in the ROM's table, by its name of two letters (datasheet, 2.8.3).
fn rom(name: [u8; 2]) -> u32 {
    const TABLE: usize = 0x14;
    const LOOK_UP: usize = 0x18;
    #[allow(unsafe_code, reason = "ROM has fixed addresses")]
    // SAFETY: both halfwords are in ROM, and so is the routine, whose interface the datasheet gives.
    unsafe {
        let half = |address: usize| usize::from((address as *const u16).read_volatile());
        let look_up: extern "C" fn(usize, u32) -> u32 = core::mem::transmute(half(LOOK_UP));
        look_up(half(TABLE), u32::from(u16::from_le_bytes(name)))
    }
}

/// Does one thing with the flash chip.
fn operate(routine: u32, arguments: [u32; 4]) {
    // What sets the chip up for fast reading lies in flash as well, and is needed when that can't be read.
    const SET_UP_WORDS: usize = 64;
    let mut set_up = [0u32; SET_UP_WORDS];
    const THUMB: u32 = 1;
    let operation = Operation {
        connect: rom(*b"IF"),
        leave_reading: rom(*b"EX"),
        routine,
        arguments,
        forget_cache: rom(*b"FC"),
        read_again: set_up.as_ptr() as u32 | THUMB,
    };
    #[allow(unsafe_code, reason = "nothing runs from flash in there")]
    // SAFETY: the first 256 bytes of flash are read as words; the assembly lies in RAM and calls only ROM and `set_up`,
    // which returns to its caller; no interrupt, whose handler lies in flash, comes in between.
    unsafe {
        core::ptr::copy_nonoverlapping(BASE as *const u32, set_up.as_mut_ptr(), SET_UP_WORDS);
        cortex_m::interrupt::free(|_| assembly::flash_operation(&raw const operation));
    }
}

/// The flash chip's own number.
pub(crate) fn unique_id() -> [u8; UNIQUE_ID] {
    const READ_UNIQUE_ID: u8 = 0x4B;
    // The command and four bytes in which the chip says nothing.
    const LEAD: usize = 5;
    let mut bytes = [0; LEAD + UNIQUE_ID];
    bytes[0] = READ_UNIQUE_ID;
    operate(
        assembly::flash_command as *const () as u32,
        [bytes.as_mut_ptr() as u32, bytes.len() as u32, 0, 0],
    );
    *bytes.last_chunk().unwrap_or(&[0; UNIQUE_ID])
}

impl ErrorType for SpiFlash {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for SpiFlash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        let base = BASE as usize;
        read_mapped(base..base + SIZE, offset, bytes)
    }

    fn capacity(&self) -> usize {
        SIZE
    }
}

impl NorFlash for SpiFlash {
    /// The chip programs single bytes: those of a page that are 0xFF in the message stay as they are.
    const WRITE_SIZE: usize = 1;
    const ERASE_SIZE: usize = SECTOR as usize;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        check_erase(self, from, to)?;
        // Larger units are never asked for, so the command for them is never sent.
        const BLOCK: u32 = 1 << 16;
        const ERASE_BLOCK: u32 = 0xD8;
        operate(rom(*b"RE"), [from, to - from, BLOCK, ERASE_BLOCK]);
        Ok(())
    }

    fn write(&mut self, offset: u32, mut bytes: &[u8]) -> Result<(), Self::Error> {
        check_write(self, offset, bytes.len())?;
        let mut at = offset as usize;
        while !bytes.is_empty() {
            let mut page = [0xFF; PAGE];
            let from = at % PAGE;
            let (part, rest) = bytes.split_at(bytes.len().min(PAGE - from));
            if let Some(place) = page.get_mut(from..from + part.len()) {
                place.copy_from_slice(part);
            }
            operate(
                rom(*b"RP"),
                [(at - from) as u32, page.as_ptr() as u32, PAGE as u32, 0],
            );
            at += part.len();
            bytes = rest;
        }
        Ok(())
    }
}
