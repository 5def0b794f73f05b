//! The drive that the boot ROM shows, as a system uses it: SCSI commands in USB's bulk-only transport.

use anyhow::{Result, bail, ensure};

use super::process::Pico;

/// Endpoints of the drive's interface, and the bytes of a block.
const TO_CHIP: u8 = 2;
const FROM_CHIP: u8 = 1;
const BLOCK: usize = 512;
/// Where in the drive the blocks go: behind the file system's tables. The ROM looks at what is in a block, not at its place.
const FIRST: u32 = 0x400;
/// Milliseconds for a command with its flash operations.
const MILLIS: u32 = 20_000;

impl Pico {
    /// Copies a UF2 file onto the drive, a block at a time. The chip restarts when it has all of it.
    ///
    /// # Errors
    /// When the drive refuses a block.
    pub fn copy_onto_drive(&self, file: &[u8]) -> Result<()> {
        let blocks = file.chunks(BLOCK);
        let last = blocks.len();
        for (number, block) in (FIRST..).zip(blocks) {
            let [a, b, c, d] = number.to_be_bytes();
            // WRITE(10) of one block (SBC), in a command block wrapper (USB mass storage bulk-only transport, 5.1).
            let command = [0x2A, 0, a, b, c, d, 0, 0, 1, 0];
            let mut wrapper = b"USBC".to_vec();
            wrapper.extend_from_slice(&number.to_le_bytes());
            wrapper.extend_from_slice(&(BLOCK as u32).to_le_bytes());
            wrapper.extend_from_slice(&[0, 0, command.len() as u8]);
            wrapper.extend_from_slice(&command);
            wrapper.resize(31, 0);
            for bytes in [wrapper.as_slice(), block] {
                if let Err(failure) = self.send_usb(TO_CHIP, bytes)? {
                    bail!("block {number}: {failure:?}");
                }
            }
            let status = self.read_usb(FROM_CHIP, 13, MILLIS)?;
            let is_last = (number - FIRST) as usize + 1 == last;
            match status {
                Ok(status) => ensure!(
                    status.starts_with(b"USBS") && status.last() == Some(&0),
                    "block {number}: {status:?}"
                ),
                // It has restarted.
                Err(_) if is_last => {}
                Err(failure) => bail!("block {number}: {failure:?}"),
            }
        }
        Ok(())
    }
}
