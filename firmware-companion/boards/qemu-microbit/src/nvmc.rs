//! The flash controller: pages of 1 KB, words of 4 bytes, each of which may be written twice between erases.

use bootlace_cortex_m::read_mapped;
use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_write,
};

use crate::registers::{read, write};

const READY: usize = 0x4001_E400;
const CONFIG: usize = 0x4001_E504;
const ERASE_PAGE: usize = 0x4001_E508;

const READ_ONLY: u32 = 0;
const WRITE: u32 = 1;
const ERASE: u32 = 2;

/// The chip's flash. The processor stands still while it works: 22 ms a page, 46 us a word.
#[derive(Clone, Copy, Debug)]
pub struct Nvmc;

/// Bytes of flash.
const SIZE: usize = 256 * 1024;

fn wait() {
    while read(READY) == 0 {}
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
        read_mapped(0..SIZE, offset, bytes)
    }

    fn capacity(&self) -> usize {
        SIZE
    }
}

impl NorFlash for Nvmc {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 1024;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        check_erase(self, from, to)?;
        let mut page = from;
        while page < to {
            write(CONFIG, ERASE);
            wait();
            write(ERASE_PAGE, page);
            page += Self::ERASE_SIZE as u32;
            done();
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
