//! The flash controller: words of 4 bytes, each of which may be written twice between erases. How a page is erased, and how large
//! one is, the chips do not share.

use core::marker::PhantomData;

use bootlace_cortex_m::read_mapped;
use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_write,
};

use crate::registers::{read, write};

const READY: usize = 0x4001_E400;
const CONFIG: usize = 0x4001_E504;

const READ_ONLY: u32 = 0;
const WRITE: u32 = 1;
const ERASE: u32 = 2;

/// The shape of a chip's flash, which the processor sees at 0, and the way to erase a page.
pub trait Eraser {
    /// Bytes of flash.
    const SIZE: u32;
    /// Bytes of a page.
    const PAGE: u32;

    /// Erases the page that begins at this address, by [`erase_by`].
    fn erase(page: u32);
}

/// A chip's flash. The processor stands still while it works.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nvmc<E>(PhantomData<E>);

fn wait() {
    while read(READY) & 1 == 0 {}
}

/// Lets the flash be written or erased.
fn unlock(what: u32) {
    write(CONFIG, what);
    wait();
}

/// Waits for what was begun, and locks the flash again.
fn done() {
    wait();
    write(CONFIG, READ_ONLY);
    wait();
}

/// Erases the page at this address, or a part of it, by the register that does so.
pub fn erase_by(register: usize, page: u32) {
    unlock(ERASE);
    write(register, page);
    done();
}

impl<E> ErrorType for Nvmc<E> {
    type Error = NorFlashErrorKind;
}

impl<E: Eraser> ReadNorFlash for Nvmc<E> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        read_mapped(0..E::SIZE as usize, offset, bytes)
    }

    fn capacity(&self) -> usize {
        E::SIZE as usize
    }
}

impl<E: Eraser> bootlace_core::chip::Driver for Nvmc<E> {}

impl<E: Eraser> NorFlash for Nvmc<E> {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = E::PAGE as usize;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        check_erase(self, from, to)?;
        let mut page = from;
        while page < to {
            E::erase(page);
            page += E::PAGE;
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        check_write(self, offset, bytes.len())?;
        unlock(WRITE);
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
