//! What a flash chip did, operation by operation, and what it holds when the supply goes at one of them.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::hex::bytes;
use super::process::{Cut, Pico};

/// An erase or a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Of the first byte that changes.
    at: usize,
    /// What was programmed, or erased bytes.
    data: Vec<u8>,
    is_erase: bool,
}

impl Operation {
    fn read(value: &Value) -> Option<Self> {
        let at = value["at"].as_u64()? as usize;
        if let Some(length) = value["length"].as_u64() {
            let data = vec![0xFF; length as usize];
            return Some(Self {
                at,
                data,
                is_erase: true,
            });
        }
        Some(Self {
            at,
            data: bytes(value["data"].as_str()?)?,
            is_erase: false,
        })
    }

    /// Does the operation to a chip's contents as far as it comes when the supply goes: half of its bytes when that is within
    /// the operation, as in `tests/rp2040/flash.mjs`.
    pub fn apply(&self, flash: &mut [u8], when: Cut) {
        let count = match when {
            Cut::Before => 0,
            Cut::Within => self.data.len() / 2,
            Cut::After => self.data.len(),
        };
        for (place, byte) in flash.iter_mut().skip(self.at).zip(&self.data).take(count) {
            *place = if self.is_erase { *byte } else { *place & byte };
        }
    }
}

/// What the chip holds that held `before`, when the supply goes at the operation of this number, counted from 0.
pub fn cut(before: &[u8], operations: &[Operation], number: usize, when: Cut) -> Vec<u8> {
    let mut flash = before.to_vec();
    for operation in operations.iter().take(number) {
        operation.apply(&mut flash, Cut::After);
    }
    if let Some(operation) = operations.get(number) {
        operation.apply(&mut flash, when);
    }
    flash
}

/// Bytes of a page.
const PAGE: usize = 256;

/// What each page of a chip holds, told apart by digests.
#[derive(Debug)]
pub struct Pages(Vec<[u8; 32]>);

impl Pages {
    /// Of a chip that holds `flash`.
    pub fn of(flash: &[u8]) -> Self {
        Self(
            flash
                .chunks(PAGE)
                .map(|page| Sha256::digest(page).into())
                .collect(),
        )
    }
}

/// Pages of a chip that were read, by number, and what they held before. A board that has only read these does the same when
/// they hold the same again: the emulator draws nothing by chance.
#[derive(Clone, Debug)]
pub struct Reads(Vec<(usize, [u8; 32])>);

impl Reads {
    /// Whether a chip with these pages reads the same.
    pub fn are_same(&self, pages: &Pages) -> bool {
        self.0.iter().all(|(page, held)| pages.0.get(*page) == Some(held))
    }
}

impl Pico {
    /// The operations of the flash since this was last asked for, or since [`Pico::put`].
    ///
    /// # Errors
    /// When the emulator is gone.
    pub fn trace(&self) -> Result<Vec<Operation>> {
        let trace = self.command(&json!({ "do": "trace" }))?;
        let operations = trace.as_array().context("no trace")?;
        let read = operations.iter().map(Operation::read).collect::<Option<_>>();
        read.with_context(|| format!("not a trace: {trace}"))
    }

    /// What was read since [`Pico::put`] filled the flash, which held `before`.
    ///
    /// # Errors
    /// When the emulator is gone.
    pub fn reads(&self, before: &Pages) -> Result<Reads> {
        let answer = self.command(&json!({ "do": "pagesRead" }))?;
        let flags = answer.as_str().and_then(bytes).context("no pages")?;
        let pages = flags.iter().zip(&before.0).enumerate();
        let read = pages.filter(|(_, (flag, _))| **flag != 0);
        Ok(Reads(read.map(|(page, (_, held))| (page, *held)).collect()))
    }
}
