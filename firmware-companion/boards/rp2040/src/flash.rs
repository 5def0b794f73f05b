//! The flash: a chip of its own on an SPI bus, from which the processor fetches its instructions through a cache. While
//! something is done with it nothing can run from it, so that part lies in RAM. It does what the routines of the chip's ROM do
//! (datasheet, 2.8.3.1.3) but for their waits of a tenth of a millisecond in each operation: these are for flash chips in
//! whatever mode, and this one is in the mode in which [`Operation::set_up`] left it.

use bootlace_core::chip::Driver;
use bootlace_cortex_m::read_mapped;
use bootlace_image::Sha256;
use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_write,
};

use crate::received;
use crate::registers::{read, write};

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

/// The controller on the SPI bus, SSI (datasheet, 4.10): it is enabled, its mode, status and data.
const ENABLED: usize = 0x1800_0008;
const MODE: usize = 0x1800_0000;
const STATUS: usize = 0x1800_0028;
const DATA: usize = 0x1800_0060;
/// Bit of [`STATUS`]: there is an answer.
const ANSWERED: u32 = 1 << 3;

/// IO_QSPI: the chip select, and its levels: as the controller has it, low, high.
const SELECT: usize = 0x4001_800C;
const BY_CONTROLLER: u32 = 0;
const LOW: u32 = 2 << 8;
const HIGH: u32 = 3 << 8;

/// XIP_CTRL: writing forgets what the cache holds, and reading waits for that.
const FORGET: usize = 0x1400_0004;

/// Commands of the flash chip (W25Q16JV, 8.1.2).
const PROGRAM_PAGE: u8 = 0x02;
const READ_STATUS: u8 = 0x05;
const ENABLE_WRITING: u8 = 0x06;
const ERASE_SECTOR: u8 = 0x20;
const READ_UNIQUE_ID: u8 = 0x4B;
/// Two bytes of ones end the mode in which every read goes on without a command (8.2.10).
const END_OF_READING: u32 = 0xFFFF;

/// What is to be done with the chip, while nothing can be read from it.
struct Operation<'d, 'o> {
    /// The command and three bytes of an address, the command lowest.
    head: u32,
    /// Bytes of the head that are sent; behind its four it is zeros.
    len: usize,
    /// Bytes that follow; in RAM.
    data: &'d [u8],
    /// Takes the data in as well, while the chip is busy: whole blocks, of which what is left then is given back.
    hash: Option<&'o mut Sha256>,
    /// What the chip says from the first byte on, as much as there is room for.
    answers: &'o mut [u8],
    /// Sets the chip up for fast reading.
    set_up: extern "C" fn(),
}

/// Sends the first `len` bytes of `head`, then `data`, and gives the chip's last answer.
#[inline(never)]
#[allow(unsafe_code, reason = "it lies in RAM: flash can't be read meanwhile")]
#[unsafe(link_section = ".data.flash.command")]
fn command(mut head: u32, mut len: usize, data: &[u8], answers: &mut [u8]) -> u32 {
    write(SELECT, LOW);
    let (mut data, mut answers) = (data.iter(), answers.iter_mut());
    let mut answer = 0;
    loop {
        let byte = if len > 0 {
            len -= 1;
            let byte = head & 0xFF;
            head >>= 8;
            byte
        } else if let Some(byte) = data.next() {
            u32::from(*byte)
        } else {
            break;
        };
        write(DATA, byte);
        while read(STATUS) & ANSWERED == 0 {}
        answer = read(DATA);
        if let Some(place) = answers.next() {
            *place = answer as u8;
        }
    }
    write(SELECT, HIGH);
    answer
}

/// Does an operation, and gives what is left of its data to be hashed. Meanwhile packets from the host are taken.
#[inline(never)]
#[allow(unsafe_code, reason = "it lies in RAM: flash can't be read meanwhile")]
#[unsafe(link_section = ".data.flash.operate")]
fn operate_in_ram<'d>(operation: &mut Operation<'d, '_>) -> &'d [u8] {
    const EIGHT_BITS_EACH_WAY: u32 = 7 << 16;
    write(ENABLED, 0);
    write(MODE, EIGHT_BITS_EACH_WAY);
    write(ENABLED, 1);
    command(END_OF_READING, 2, &[], &mut []);
    // What asks for answers changes nothing.
    if operation.answers.is_empty() {
        command(u32::from(ENABLE_WRITING), 1, &[], &mut []);
    }
    command(operation.head, operation.len, operation.data, operation.answers);
    const BUSY: u32 = 1;
    let mut unhashed = operation.data;
    while command(u32::from(READ_STATUS), 2, &[], &mut []) & BUSY != 0 {
        received::fill();
        if let Some(hash) = &mut operation.hash
            && let Some((block, rest)) = unhashed.split_first_chunk()
            && hash.update_block(block)
        {
            unhashed = rest;
        }
    }
    write(SELECT, BY_CONTROLLER);
    write(FORGET, 1);
    read(FORGET);
    (operation.set_up)();
    unhashed
}

/// Does one thing with the flash chip. Programs and hashes `data`.
fn operate(command: u8, address: u32, data: &[u8], answers: &mut [u8], mut hash: Option<&mut Sha256>) {
    const HEAD: usize = 4;
    // What sets the chip up for fast reading lies in flash as well, and is needed when that can't be read.
    const SET_UP_WORDS: usize = 64;
    let mut set_up = [0u32; SET_UP_WORDS];
    const THUMB: usize = 1;
    #[allow(unsafe_code, reason = "nothing runs from flash in there")]
    // SAFETY: the first 256 bytes of flash are read as words: a routine that returns to its caller, wherever it lies. What runs
    // meanwhile lies in RAM; no interrupt, whose handler lies in flash, comes in between.
    let unhashed = unsafe {
        core::ptr::copy_nonoverlapping(BASE as *const u32, set_up.as_mut_ptr(), SET_UP_WORDS);
        let mut operation = Operation {
            head: u32::from(command) | address.swap_bytes() & !0xFF,
            len: HEAD.max(answers.len()),
            data,
            hash: hash.as_deref_mut(),
            answers,
            set_up: core::mem::transmute::<usize, extern "C" fn()>(set_up.as_ptr() as usize | THUMB),
        };
        cortex_m::interrupt::free(|_| operate_in_ram(&mut operation))
    };
    if let Some(hash) = hash {
        hash.update(unhashed);
    }
}

/// The flash chip's own number.
pub(crate) fn unique_id() -> [u8; UNIQUE_ID] {
    // The command and four bytes in which the chip says nothing.
    const LEAD: usize = 5;
    let mut answers = [0; LEAD + UNIQUE_ID];
    operate(READ_UNIQUE_ID, 0, &[], &mut answers, None);
    *answers.last_chunk().unwrap_or(&[0; UNIQUE_ID])
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
    /// The chip programs single bytes.
    const WRITE_SIZE: usize = 1;
    const ERASE_SIZE: usize = SECTOR as usize;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        check_erase(self, from, to)?;
        for sector in (from..to).step_by(Self::ERASE_SIZE) {
            operate(ERASE_SECTOR, sector, &[], &mut [], None);
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        program(self, offset, bytes, None)
    }
}

impl Driver for SpiFlash {
    fn write_and_hash(&mut self, at: u32, bytes: &[u8], hash: &mut Sha256) -> Result<(), Self::Error> {
        program(self, at, bytes, Some(hash))
    }
}

/// Programs pages, or parts of them.
fn program(
    flash: &SpiFlash,
    offset: u32,
    bytes: &[u8],
    mut hash: Option<&mut Sha256>,
) -> Result<(), NorFlashErrorKind> {
    check_write(flash, offset, bytes.len())?;
    let (mut at, mut rest) = (offset, bytes);
    while !rest.is_empty() {
        let in_page = PAGE - at as usize % PAGE;
        let (part, others) = rest.split_at(rest.len().min(in_page));
        operate(PROGRAM_PAGE, at, part, &mut [], hash.as_deref_mut());
        at += part.len() as u32;
        rest = others;
    }
    Ok(())
}
