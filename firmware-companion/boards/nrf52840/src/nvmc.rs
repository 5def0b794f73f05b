//! The flash of an nRF52840: pages of 4 KB that are erased in parts.

use bootlace_maps::nrf52840::{PAGE, SIZE};
use bootlace_nrf::{Eraser, erase_by};

use crate::registers::write;

const ERASE_PART: usize = 0x4001_E518;
const ERASE_PART_MILLIS: usize = 0x4001_E51C;

/// Milliseconds that a page takes in all (product specification, tERASEPAGE), and those of a part: the processor stands still
/// in a part, and an application's interrupts are served between two.
const MILLIS_PER_PAGE: u32 = 85;
const MILLIS_PER_PART: u32 = 5;

/// How it is erased. The processor stands still as well while a word is written, 41 us.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pages;

impl Eraser for Pages {
    const SIZE: u32 = SIZE;
    const PAGE: u32 = PAGE;

    fn erase(page: u32) {
        write(ERASE_PART_MILLIS, MILLIS_PER_PART);
        for _ in 0..MILLIS_PER_PAGE.div_ceil(MILLIS_PER_PART) {
            erase_by(ERASE_PART, page);
        }
    }
}
