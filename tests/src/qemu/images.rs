//! Flash contents and signed images for the emulated board, from what `cargo xtask firmware` built.

use std::path::Path;

use anyhow::{Context as _, Result};
use bootlace_delta::make::{Options, make};
use bootlace_image::builder::{ImageBuilder, SigningKey};
use bootlace_image::{Image, TlvKind, Version};

use super::forged::forged;
use super::signing::Signing;
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
    Ok(with_bootloader(&bootloader()?, image))
}

/// The same with this bootloader.
pub fn with_bootloader(bootloader: &[u8], image: Option<&[u8]>) -> Vec<u8> {
    let mut flash = vec![0xFF; FLASH];
    for (at, part) in [(0, bootloader), (PRIMARY, image.unwrap_or_default())] {
        let places = flash.iter_mut().skip(at);
        places.zip(part).for_each(|(place, byte)| *place = *byte);
    }
    flash
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

/// Addresses of the instructions with which the bootloader leaves for an image, Thumb bit included: up to the one that
/// sets the image's stack and the one behind, which jumps.
fn addresses_of_jump(bootloader: &[u8]) -> Result<Vec<u32>> {
    /// Bytes of instructions before the one that sets the stack: all of `jump` in `boards/cortex-m`.
    const BEFORE: usize = 0x60;
    // `msr msp, r0` to `msr msp, r7` (Armv6-M Architecture Reference Manual, B5.2.3).
    let sets_stack = |bytes: &[u8]| matches!(bytes, [0x80..=0x87, 0xF3, 0x08, 0x88]);
    let at = bootloader.windows(4).position(sets_stack);
    let at = at.context("the bootloader has no `msr msp`")?;
    let first = at.saturating_sub(BEFORE);
    Ok((first..at + 6).step_by(2).map(|at| at as u32 | 1).collect())
}

/// An ECDSA signature in DER, of which r and s are these words, as they lie in a Cortex-M's memory lowest first.
fn signature_of(words: &[u32]) -> Vec<u8> {
    let number =
        |words: &[u32]| -> Vec<u8> { words.iter().rev().flat_map(|word| word.to_be_bytes()).collect() };
    let integers = words.chunks(8).take(2).flat_map(|words| {
        // Addresses of flash have their highest bit clear, and no leading byte of a number may be 0 for nothing.
        let number = number(words);
        let zeros = number.iter().take_while(|byte| **byte == 0).count();
        let number = number.get(zeros..).unwrap_or_default().to_vec();
        let sign = number.first().is_some_and(|first| first & 0x80 != 0);
        let head = [2, number.len() as u8 + u8::from(sign)];
        head.into_iter()
            .chain(sign.then_some(0))
            .chain(number)
            .collect::<Vec<u8>>()
    });
    let integers: Vec<u8> = integers.collect();
    [0x30, integers.len() as u8].into_iter().chain(integers).collect()
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
        Self::with_key(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("../firmware-companion/boards/keys/demo.pem"),
        )
    }

    /// With the private key in this file, in PEM.
    ///
    /// # Errors
    /// When the key is not there.
    pub fn with_key(path: &Path) -> Result<Self> {
        let pem = std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
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
        /// Addresses that differ, where the image is made of them: one for each instruction.
        const ADDRESSES: u32 = 64;
        let stack = RAM.0 + RAM.1 as u32;
        let mut words = vec![stack];
        // Where each exception begins: at a word of its own as well.
        words.extend((1..VECTORS as u32).map(|number| (Self::STANDING_STILL + 4 * (number - 1)) | 1));
        let own: Vec<u32> = (0..ADDRESSES)
            .map(|at| (Self::STANDING_STILL + 2 * at) | 1)
            .collect();
        let addresses = match signing {
            Signing::OwnAddresses => Some(own.clone()),
            Signing::JumpAddresses => Some(addresses_of_jump(&bootloader()?)?),
            _ => None,
        };
        if let Some(addresses) = &addresses {
            words.extend([u32::from(STAY) << 16 | u32::from(STAY); ADDRESSES as usize / 2]);
            words.extend(addresses.iter().cycle().take(WORDS - words.len()));
        }
        // `movs`, with another number or register each.
        let moves = 0x2000..0x2800;
        let pairs = moves.map(|it: u32| u32::from(STAY) << 16 | it);
        words.extend(pairs.take(WORDS - words.len()));
        let payload: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let mut builder = ImageBuilder::new(payload).header_size(HEADER);
        if let Some(address) = addresses.iter().flatten().next() {
            // The header is the signer's as well.
            builder = builder.load_addr(*address);
        }
        let signed_by = |key: &SigningKey| {
            let signature = key.sign(&builder.digest());
            let named = self.key.public().hash();
            let named = builder.clone().unprotected(TlvKind::KEYHASH, &named);
            named
                .unprotected(self.key.public().algorithm().tlv(), &signature)
                .build()
        };
        let key_of = |private: u8| {
            let mut seed = [0; 32];
            seed[31] = private;
            SigningKey::from_seed(self.key.public().algorithm(), &seed)
                .ok()
                .context("no key of that number")
        };
        Ok(match signing {
            Signing::Good => signed_by(&self.key),
            Signing::Missing | Signing::OwnAddresses | Signing::JumpAddresses => builder.build(),
            Signing::OtherKey => signed_by(&key_of(7)?),
            Signing::BasePoint => signed_by(&key_of(1)?),
            Signing::SignatureOfAddresses => {
                let named = builder.unprotected(TlvKind::KEYHASH, &self.key.public().hash());
                named.unprotected(TlvKind::ECDSA, &signature_of(&own)).build()
            }
            Signing::CutShort | Signing::NothingHashed | Signing::KeyLeftOut => {
                let signature = forged(signing, &self.key.public(), &builder.digest())?;
                let named = builder.unprotected(TlvKind::KEYHASH, &self.key.public().hash());
                named
                    .unprotected(self.key.public().algorithm().tlv(), &signature)
                    .build()
            }
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
