//! Flash contents and signed images for the emulated board, from what `cargo xtask firmware` built.

use std::path::Path;

use anyhow::{Context as _, Result};
use bootlace_delta::make::{Options, make};
use bootlace_image::builder::{ImageBuilder, SigningKey};
use bootlace_image::{Algorithm, Image, TlvKind, Version};

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
/// Where RAM starts, and its bytes.
pub const RAM: (u32, usize) = (0x2000_0000, 16 * 1024);
/// Bytes of the image header of the example applications: their vector tables are aligned.
const HEADER: u16 = 0x100;

/// The bootloader's binary.
///
/// # Errors
/// When it was not built.
pub fn bootloader() -> Result<Vec<u8>> {
    program("qemu-microbit")
}

/// A program's bytes, as they lie in flash.
///
/// # Errors
/// When it was not built.
pub fn program(name: &str) -> Result<Vec<u8>> {
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

/// How an image is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signing {
    /// With the board's key.
    Good,
    /// Not at all.
    Missing,
    /// The signature names the board's key, and is of another.
    OtherKey,
    /// The signature was good, and the image was altered afterwards.
    Altered,
    /// The signature names the board's key, and is good for the curve's base point as a key, whose private half is 1: an
    /// arithmetic that loses the board's key on its way may take it.
    BasePoint,
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

/// Vectors of a Cortex-M0 with an nRF51's interrupts.
const VECTORS: usize = 48;

impl Images {
    /// Bytes of the images' headers.
    pub(crate) const HEADER: u16 = HEADER;
    /// Where the program of [`Images::standing_still`] begins.
    pub(crate) const STANDING_STILL: u32 = (PRIMARY + HEADER as usize + 4 * VECTORS) as u32;

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

    /// An image of a program that goes nowhere: wherever the processor gets into the image, it stays there. No word is
    /// there twice, so that a digest over the wrong bytes is another.
    ///
    /// # Errors
    /// When it can't be signed.
    pub fn standing_still(&self, signing: Signing) -> Result<Vec<u8>> {
        /// `b .`
        const STAY: u16 = 0xE7FE;
        /// Words in all.
        const WORDS: usize = 250;
        let stack = RAM.0 + RAM.1 as u32;
        let mut words = vec![stack];
        // Where each exception begins: at a word of its own as well.
        words.extend((1..VECTORS as u32).map(|number| (Self::STANDING_STILL + 4 * (number - 1)) | 1));
        // `movs`, with another number or register each.
        let moves = 0x2000..0x2800;
        let pairs = moves.map(|it: u32| u32::from(STAY) << 16 | it);
        words.extend(pairs.take(WORDS - VECTORS));
        let payload: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let builder = ImageBuilder::new(payload).header_size(HEADER);
        let signed_by = |key: &SigningKey| {
            let signature = key.sign(&builder.digest());
            let named = self.key.public().hash();
            let named = builder.clone().unprotected(TlvKind::KEYHASH, &named);
            named.unprotected(TlvKind::ECDSA, &signature).build()
        };
        let key_of = |private: u8| {
            let mut seed = [0; 32];
            seed[31] = private;
            SigningKey::from_seed(Algorithm::P256, &seed)
                .ok()
                .context("no key of that number")
        };
        Ok(match signing {
            Signing::Good => signed_by(&self.key),
            Signing::Missing => builder.build(),
            Signing::OtherKey => signed_by(&key_of(7)?),
            Signing::BasePoint => signed_by(&key_of(1)?),
            Signing::Altered => {
                let mut image = signed_by(&self.key);
                let last = usize::from(HEADER) + 4 * (WORDS - 1);
                image.iter_mut().skip(last).take(1).for_each(|byte| *byte ^= 0x80);
                image
            }
        })
    }

    /// Program `name` as version `1.minor.0`, with data behind it up to `len` bytes, which differ between versions;
    /// and its digest.
    ///
    /// # Errors
    /// When it was not built.
    pub fn signed(&self, name: &str, minor: u8, len: usize) -> Result<(Vec<u8>, [u8; 32])> {
        Ok(self.signed_program(program(name)?, minor, len))
    }

    /// The same of any program.
    pub fn signed_program(&self, mut payload: Vec<u8>, minor: u8, len: usize) -> (Vec<u8>, [u8; 32]) {
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
        (builder.build(), builder.digest())
    }
}
