//! The flash of an nRF51822: 256 KB in pages of 1 KB.

use bootlace_nrf::{Eraser, erase_by};

const ERASE_PAGE: usize = 0x4001_E508;

/// How it is erased: the processor stands still, 22 ms a page, and 46 us while a word is written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pages;

impl Eraser for Pages {
    const SIZE: u32 = 256 * 1024;
    const PAGE: u32 = 1024;

    fn erase(page: u32) {
        erase_by(ERASE_PAGE, page);
    }
}
