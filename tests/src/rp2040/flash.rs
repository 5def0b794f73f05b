//! Flash contents and signed images for the emulated Pico, from what `cargo xtask firmware` built.

use anyhow::{Context as _, Result};

use crate::qemu::{Images, program};

/// Bytes of flash.
pub const FLASH: usize = 2 << 20;
/// Where the bootloader's records begin: the board's own file says so.
pub const STATE: usize = 0xE000;
/// Where the slots lie: the board's own file says so, and a test that it still does.
pub const PRIMARY: usize = 0x1_0000;
/// The secondary slot.
pub const SECONDARY: usize = PRIMARY + 245 * 4096;

/// How the example application behaves: the digit that it looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// It is well.
    Normal = 0,
    /// It crashes before it has confirmed itself.
    Crashes = 1,
    /// It hangs before it has confirmed itself.
    Hangs = 2,
    /// Self-test 1 fails.
    Unhealthy = 3,
    /// It never confirms itself.
    Undecided = 4,
}

/// Makes boards as they leave the factory, and images for them.
#[derive(Debug)]
pub struct Factory {
    images: Images,
    application: Vec<u8>,
}

impl Factory {
    /// With the demonstration's key, which the board trusts.
    ///
    /// # Errors
    /// When something was not built.
    pub fn new() -> Result<Self> {
        Self::signing(Images::new()?)
    }

    /// With the key of these.
    ///
    /// # Errors
    /// When something was not built.
    pub fn signing(images: Images) -> Result<Self> {
        Ok(Self {
            images,
            application: program("rp2040-application")?,
        })
    }

    /// The example application as version `1.minor.0`, and its digest.
    ///
    /// # Errors
    /// When the application does not look for its behaviour.
    pub fn application(&self, behaviour: Behaviour, minor: u8) -> Result<(Vec<u8>, [u8; 32])> {
        self.padded_application(behaviour, minor, 0)
    }

    /// The same with data behind it up to `len` bytes, which differ between versions.
    ///
    /// # Errors
    /// As [`Factory::application`].
    pub fn padded_application(
        &self,
        behaviour: Behaviour,
        minor: u8,
        len: usize,
    ) -> Result<(Vec<u8>, [u8; 32])> {
        const MARK: &[u8] = b"behaviour: ";
        let mut payload = self.application.clone();
        let at = payload.windows(MARK.len()).position(|bytes| bytes == MARK);
        let digit = at.and_then(|at| payload.get_mut(at + MARK.len()));
        *digit.context("the application has no behaviour to choose")? = b'0' + behaviour as u8;
        Ok(self.images.signed_program(payload, minor, len))
    }

    /// All of the flash: the bootloader, and an image in the primary slot as the factory put it there.
    ///
    /// # Errors
    /// When the bootloader was not built.
    pub fn flash(&self, image: Option<&[u8]>) -> Result<Vec<u8>> {
        let mut flash = vec![0xFF; FLASH];
        let bootloader = program("rp2040")?;
        for (at, part) in [(0, bootloader.as_slice()), (PRIMARY, image.unwrap_or_default())] {
            let places = flash.iter_mut().skip(at);
            places.zip(part).for_each(|(place, byte)| *place = *byte);
        }
        Ok(flash)
    }
}
