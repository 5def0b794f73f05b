//! Programs that Debian's packages bring as they are: the emulator that boards run on, and peers that tests judge by.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use super::debian;
use crate::process;

/// A program, and the package that it comes in.
#[derive(Clone, Copy)]
pub(crate) struct Program {
    name: &'static str,
    package: &'static str,
}

/// The emulator of the micro:bit and the STM32F407.
pub(crate) const QEMU: Program = Program {
    name: "qemu-system-arm",
    package: "qemu-system-arm",
};
/// SRecord, which converts files of a chip's memory.
pub(crate) const SREC_CAT: Program = Program {
    name: "srec_cat",
    package: "srecord",
};

/// Writes and reads chips by DFU: says whether a model of such a chip's loader is one.
pub(crate) const DFU_UTIL: Program = Program {
    name: "dfu-util",
    package: "dfu-util",
};
/// The same by a serial port, for STM32 chips.
pub(crate) const STM32FLASH: Program = Program {
    name: "stm32flash",
    package: "stm32flash",
};

impl Program {
    /// Where it is, installed if it is missing.
    pub(crate) fn path(self) -> Result<PathBuf> {
        if let Some(found) = process::find(self.name) {
            return Ok(found);
        }
        debian::install(&[self.package])?;
        process::find(self.name).with_context(|| format!("{} was installed but is not on PATH", self.package))
    }
}
