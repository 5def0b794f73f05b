//! Flash contents and signed images for the emulated board, from what `cargo xtask firmware` built.

use std::path::Path;

use anyhow::{Context as _, Result};
use bootlace_delta::make::{Options, make};
use bootlace_image::builder::{ImageBuilder, SigningKey};
use bootlace_image::{Image, Version};

use crate::tools;

/// Bytes of flash.
pub const FLASH: usize = 256 * 1024;
/// Erase unit.
pub const PAGE: usize = 1024;
/// Where the bootloader ends and its records begin: the board's own file says so.
pub const STATE: usize = 44 * PAGE;
/// Where the slots lie: the board's own file says so, and a test that it still does.
pub const PRIMARY: usize = STATE + 2 * PAGE;
/// The secondary slot.
pub const SECONDARY: usize = PRIMARY + 104 * PAGE;
/// End of the slots.
pub const SLOTS_END: usize = SECONDARY + 105 * PAGE;
/// Bytes of the image header of the example applications: their vector tables are aligned.
const HEADER: u16 = 0x100;

/// The bootloader's binary.
///
/// # Errors
/// When it was not built.
pub fn bootloader() -> Result<Vec<u8>> {
    program("qemu-microbit")
}

fn program(name: &str) -> Result<Vec<u8>> {
    let path = tools::required("BOOTLACE_BOARDS")?
        .join(name)
        .with_extension("bin");
    std::fs::read(&path).with_context(|| format!("{} can't be read", path.display()))
}

/// All of the flash: the bootloader, and an image in the primary slot as the factory put it there.
///
/// # Errors
/// When the bootloader was not built.
pub fn with_primary(image: Option<&[u8]>) -> Result<Vec<u8>> {
    let mut flash = vec![0xFF; FLASH];
    let bootloader = bootloader()?;
    for (at, part) in [(0, bootloader.as_slice()), (PRIMARY, image.unwrap_or_default())] {
        flash
            .iter_mut()
            .skip(at)
            .zip(part)
            .for_each(|(place, byte)| *place = *byte);
    }
    Ok(flash)
}

/// What makes one signed file of another, on a board that runs that one.
///
/// # Errors
/// When the other is no image.
pub fn difference(old: &[u8], new: &[u8]) -> Result<Vec<u8>> {
    let mut source = old;
    let image = Image::read(&mut source).map_err(|error| anyhow::anyhow!("{error:?}"))?;
    let base = old
        .get(..image.covered_len() as usize)
        .context("an image shorter than it says")?;
    Ok(make(base, new, &Options::default()).bytes)
}

/// The example applications, signed.
#[derive(Debug)]
pub struct Images {
    key: SigningKey,
}

impl Images {
    /// With the demonstration's key, which the board trusts.
    ///
    /// # Errors
    /// When the key is not there.
    pub fn new() -> Result<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../firmware-companion/boards/keys/demo.pem");
        let pem = std::fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
        Ok(Self {
            key: SigningKey::from_pem(&pem).ok().context("the key can't be read")?,
        })
    }

    /// Program `name` as version `1.minor.0`, with data behind it up to `len` bytes, which differ between versions;
    /// and its digest.
    ///
    /// # Errors
    /// When it was not built.
    pub fn signed(&self, name: &str, minor: u8, len: usize) -> Result<(Vec<u8>, [u8; 32])> {
        let mut payload = program(name)?;
        let mut seed = u32::from(minor);
        while payload.len() < len {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            payload.push((seed >> 24) as u8);
        }
        let version = Version {
            major: 1,
            minor,
            revision: 0,
            build: 0,
        };
        let builder = ImageBuilder::new(payload)
            .header_size(HEADER)
            .version(version)
            .sign(&self.key);
        Ok((builder.build(), builder.digest()))
    }
}
