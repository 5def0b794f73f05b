//! The chip's flash: sectors of 16, 64 and 128 KB, of which the largest take one second to erase, two at most. The processor reads
//! nothing from flash meanwhile, so that what waits lies in RAM, and feeds the watchdog.

use bootlace_cortex_m::read_mapped;
use bootlace_maps::stm32f407::{BASE, SIZE, SMALL, sectors};
use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_write,
};

use crate::registers::{FLASH_ACCESS, FLASH_CONTROL, FLASH_KEY, FLASH_STATUS, read, write};
use crate::watchdog::{FEED, KEY};

/// Bits of the status: everything that can go wrong (cleared by writing them), and that flash is busy.
const ERRORS: u32 = 0b1111_0010;
const BUSY: u32 = 1 << 16;

/// Bits of the control register: to program or to erase, which sector, how many bits at once, to begin, to lock the register.
const PROGRAM: u32 = 1 << 0;
const ERASE: u32 = 1 << 1;
const SECTOR: u32 = 3;
/// 32 bits at once, for a supply of 2.7 V and above, as all boards with 3 V or 3.3 V have it (RM0090, 3.6.2).
const WORDS: u32 = 2 << 8;
const BEGIN: u32 = 1 << 16;
const LOCKED: u32 = 1 << 31;

/// The chip's flash.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flash;

#[allow(unsafe_code, reason = "assembly")]
mod assembly {
    unsafe extern "C" {
        /// Writes `control` to the control register and feeds the watchdog until flash is no longer busy.
        pub(super) fn flash_operation(control: u32);
    }

    core::arch::global_asm!(
        // RAM that is filled before the program starts.
        ".section .data.flash, \"aw\", %progbits",
        ".align 2",
        ".global flash_operation",
        ".type flash_operation, %function",
        ".thumb_func",
        "flash_operation:",
        "ldr  r1, 2f",
        "ldr  r2, 3f",
        "ldr  r3, 4f",
        "str  r0, [r1, #{control} - {status}]",
        "1:",
        "str  r3, [r2]",
        "ldr  r0, [r1]",
        "tst  r0, #{busy}",
        "bne  1b",
        "bx   lr",
        ".align 2",
        "2: .word {status}",
        "3: .word {key}",
        "4: .word {feed}",
        status = const FLASH_STATUS,
        control = const FLASH_CONTROL,
        key = const KEY,
        feed = const FEED,
        busy = const BUSY,
    );

    use super::{BUSY, FEED, FLASH_CONTROL, FLASH_STATUS, KEY};
}

/// Lets the control register be written.
fn unlock() {
    if read(FLASH_CONTROL) & LOCKED != 0 {
        write(FLASH_KEY, 0x4567_0123);
        write(FLASH_KEY, 0xCDEF_89AB);
    }
    write(FLASH_STATUS, ERRORS);
}

/// Locks the control register again, and says whether all went well.
fn lock() -> Result<(), NorFlashErrorKind> {
    write(FLASH_CONTROL, LOCKED);
    match read(FLASH_STATUS) & ERRORS {
        0 => Ok(()),
        _ => Err(NorFlashErrorKind::Other),
    }
}

/// Erases a sector. Interrupts, whose handlers lie in flash, come afterwards, and the caches forget what they hold of it.
fn erase_sector(sector: u32) {
    let control = WORDS | ERASE | sector << SECTOR;
    // First what to do, then that it begins, in two writes (RM0090, 3.6.3).
    write(FLASH_CONTROL, control);
    #[allow(unsafe_code, reason = "nothing runs from flash in there")]
    // SAFETY: the assembly lies in RAM and calls nothing; no interrupt comes in between. The sector is none of this program's: the
    // core names slots and records alone.
    unsafe {
        cortex_m::interrupt::free(|_| assembly::flash_operation(control | BEGIN));
    }
    const CACHES: u32 = 0b11 << 9;
    const FORGET: u32 = 0b11 << 11;
    let access = read(FLASH_ACCESS);
    write(FLASH_ACCESS, access & !CACHES);
    write(FLASH_ACCESS, access & !CACHES | FORGET);
    write(FLASH_ACCESS, access);
}

impl ErrorType for Flash {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        const FLASH: core::ops::Range<usize> = BASE as usize..(BASE + SIZE) as usize;
        read_mapped(FLASH, offset, bytes)
    }

    fn capacity(&self) -> usize {
        SIZE as usize
    }
}

impl bootlace_core::chip::Driver for Flash {}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = 4;
    /// The smallest sector's; others are erased whole or not at all.
    const ERASE_SIZE: usize = SMALL as usize;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        check_erase(self, from, to)?;
        let sectors = sectors(from, to).ok_or(NorFlashErrorKind::NotAligned)?;
        unlock();
        sectors.for_each(erase_sector);
        lock()
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        check_write(self, offset, bytes.len())?;
        unlock();
        write(FLASH_CONTROL, WORDS | PROGRAM);
        let mut at = (BASE + offset) as usize;
        for word in bytes.as_chunks::<4>().0 {
            // 16 us, 100 at most, in which the processor stands still at its next instruction.
            write(at, u32::from_le_bytes(*word));
            // Flash is told before it is asked.
            cortex_m::asm::dsb();
            while read(FLASH_STATUS) & BUSY != 0 {}
            at += 4;
        }
        lock()
    }
}
