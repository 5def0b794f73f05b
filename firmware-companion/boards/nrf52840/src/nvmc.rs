//! The flash controller: pages of 4 KB, words of 4 bytes, each of which may be written twice between erases.

use bootlace_cortex_m::read_mapped;
use bootlace_maps::nrf52840::{PAGE, SIZE};
use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_write,
};

use crate::registers::{read, write};

const READY: usize = 0x4001_E400;
const CONFIG: usize = 0x4001_E504;
const ERASE_PART: usize = 0x4001_E518;
const ERASE_PART_MILLIS: usize = 0x4001_E51C;

const READ_ONLY: u32 = 0;
const WRITE: u32 = 1;
const ERASE: u32 = 2;

/// Milliseconds that a page takes in all (product specification, tERASEPAGE), and those of a part: the processor stands still
/// in a part, and an application's interrupts are served between two.
const MILLIS_PER_PAGE: u32 = 85;
const MILLIS_PER_PART: u32 = 5;

/// The chip's flash. The processor stands still while a word is written, 41 us.
#[derive(Clone, Copy, Debug)]
pub struct Nvmc;

fn wait() {
    while read(READY) & 1 == 0 {}
}

/// Waits for what was begun, and locks the flash again.
fn done() {
    wait();
    write(CONFIG, READ_ONLY);
    wait();
}

impl ErrorType for Nvmc {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for Nvmc {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        read_mapped(0..SIZE as usize, offset, bytes)
    }

    fn capacity(&self) -> usize {
        SIZE as usize
    }
}

impl NorFlash for Nvmc {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = PAGE as usize;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        check_erase(self, from, to)?;
        write(ERASE_PART_MILLIS, MILLIS_PER_PART);
        for page in (from..to).step_by(PAGE as usize) {
            for _ in 0..MILLIS_PER_PAGE.div_ceil(MILLIS_PER_PART) {
                write(CONFIG, ERASE);
                wait();
                write(ERASE_PART, page);
                done();
            }
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        check_write(self, offset, bytes.len())?;
        write(CONFIG, WRITE);
        wait();
        let mut at = offset as usize;
        for word in bytes.as_chunks::<4>().0 {
            write(at, u32::from_le_bytes(*word));
            wait();
            at += 4;
        }
        done();
        Ok(())
    }
}
