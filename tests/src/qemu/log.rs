//! Every flash operation of the unmodified binary, seen by the debugger; and flash as it was in the middle of them.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::gdb::Watched;
use super::{FLASH, Gdb, PAGE, STATE};

/// What the flash controller was told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Erase the page that starts here.
    Erase(u32),
    /// Program the word here.
    Program(u32, u32),
}

/// Everything behind the bootloader.
const ALL: Watched = (STATE as u32, (FLASH - STATE) as u32);
/// The controller's register that an erase begins with.
const ERASE_PAGE: Watched = (0x4001_E508, 4);

/// A debugger that stops before every flash operation.
#[derive(Debug)]
pub struct Recorder {
    gdb: Gdb,
}

impl Recorder {
    /// Takes over the debugger of a board that stands still.
    ///
    /// # Errors
    /// When QEMU is gone.
    pub fn new(mut gdb: Gdb) -> Result<Self> {
        gdb.watch(ALL)?;
        gdb.watch(ERASE_PAGE)?;
        Ok(Self { gdb })
    }

    /// Lets the processor run to its next flash operation, which has not happened yet; `None` when there is none within
    /// `limit`, and the processor still runs.
    ///
    /// # Errors
    /// When QEMU is gone.
    pub fn next(&mut self, limit: Duration) -> Result<Option<Operation>> {
        self.gdb.go()?;
        self.wait(limit)
    }

    /// The same for a processor that runs already.
    ///
    /// # Errors
    /// When QEMU is gone.
    pub fn wait(&mut self, limit: Duration) -> Result<Option<Operation>> {
        let Some(stopped) = self.gdb.stopped_within(limit)? else {
            return Ok(None);
        };
        stopped.context("it stopped for another reason")?;
        let registers = self.gdb.registers()?;
        let (address, value) = self.store(&registers)?;
        Ok(Some(if address == ERASE_PAGE.0 {
            Operation::Erase(value)
        } else {
            Operation::Program(address, value)
        }))
    }

    /// Has the operation happen that it stopped before.
    ///
    /// # Errors
    /// When QEMU is gone.
    pub fn perform(&mut self) -> Result<()> {
        self.gdb.unwatch(ALL)?;
        self.gdb.unwatch(ERASE_PAGE)?;
        self.gdb.step()?;
        self.gdb.watch(ALL)?;
        self.gdb.watch(ERASE_PAGE)
    }

    /// What the instruction that it stopped before will store, and where: `str` in one of the two forms of a Cortex-M0
    /// that are not for the stack, or `stm` of one register. (The debugger only says which range was about to be written to.)
    fn store(&mut self, registers: &[u32; 16]) -> Result<(u32, u32)> {
        let [.., counter] = registers;
        let code = self.gdb.read(*counter, 2)?;
        let [low, high] = code.as_slice() else {
            bail!("no instruction")
        };
        let code = u16::from_le_bytes([*low, *high]);
        let register = |shift: u16| {
            registers
                .get(usize::from(code >> shift & 7))
                .copied()
                .unwrap_or_default()
        };
        let list = code & 0xFF;
        if code >> 11 == 0b11000 && list.is_power_of_two() {
            let value = registers.get(list.trailing_zeros() as usize);
            return Ok((register(8), value.copied().unwrap_or_default()));
        }
        let offset = match (code >> 11, code >> 9 & 3) {
            (0b01100, _) => u32::from(code >> 6 & 31) * 4,
            (0b01010, 0) => register(6),
            _ => bail!("{code:#06x} is no store of a word"),
        };
        Ok((register(3).wrapping_add(offset), register(0)))
    }

    /// The debugger.
    pub fn gdb(&mut self) -> &mut Gdb {
        &mut self.gdb
    }
}

impl Operation {
    /// Does it to `flash` wholly, or in part: bits that are to become 0 where `torn` says so have; a page's bytes before
    /// its middle are erased.
    pub fn apply(self, flash: &mut [u8], torn: Option<u32>) {
        match self {
            Operation::Erase(at) => {
                let len = if torn.is_some() { PAGE / 2 } else { PAGE };
                if let Some(page) = flash.get_mut(at as usize..at as usize + len) {
                    page.fill(0xFF);
                }
            }
            Operation::Program(at, value) => {
                let value = value | torn.unwrap_or(0);
                let word = flash.iter_mut().skip(at as usize).zip(value.to_le_bytes());
                word.for_each(|(place, byte)| *place &= byte);
            }
        }
    }
}

/// Flash after the first `count` operations of `log`, and the next one torn if `torn` says which bits stayed 1.
pub fn undone(start: &[u8], log: &[Operation], count: usize, torn: Option<u32>) -> Vec<u8> {
    let mut flash = start.to_vec();
    log.iter()
        .take(count)
        .for_each(|operation| operation.apply(&mut flash, None));
    if let (Some(torn), Some(operation)) = (torn, log.get(count)) {
        operation.apply(&mut flash, Some(torn));
    }
    flash
}
