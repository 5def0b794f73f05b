//! The images that a rig is updated with.

use anyhow::{Context as _, Result, anyhow};
use bootlace_delta::Method;
use bootlace_delta::make::{Options, make};
use bootlace_image::builder::{ImageBuilder, SigningKey};
use bootlace_image::{Algorithm, Image, Version};

use crate::geometry::{ADDRESS, Geometry};

/// A signed file and the digest that names its image.
#[derive(Clone, Debug)]
pub struct File {
    /// The signed file.
    pub bytes: Vec<u8>,
    /// SHA-256 of what the signature covers.
    pub hash: [u8; 32],
}

/// Three releases of a firmware, versions and security counters 1, 2 and 3, of different lengths.
#[derive(Clone, Debug)]
pub struct Images {
    files: [File; 3],
    /// What signed them.
    pub key: SigningKey,
}

impl Images {
    /// Images that fit into this shape of flash.
    ///
    /// # Errors
    /// None in practice: the key's seed is a valid one.
    pub fn new(geometry: &Geometry) -> Result<Self> {
        // Ed25519 is the faster of the two algorithms to verify, and verdicts are most of what is not flash.
        let key =
            SigningKey::from_seed(Algorithm::Ed25519, &[7; 32]).map_err(|error| anyhow!("{error:?}"))?;
        let largest = geometry.largest() as usize;
        // Multiples of nothing, the second longer than the first, and the third the shortest.
        let lengths = [largest * 3 / 5, largest * 4 / 5 + 3, largest * 2 / 5 + 1];
        let mut version = 0;
        let files = lengths.map(|len| {
            version += 1;
            file(geometry, &key, version, len)
        });
        Ok(Images { files, key })
    }

    /// The image of this index: 0 is what the factory puts in.
    pub fn file(&self, image: u8) -> &File {
        let [first, second, third] = &self.files;
        match image {
            0 => first,
            1 => second,
            _ => third,
        }
    }

    /// The patch that makes this image from the first one. It reads its base all the time, although the images have
    /// nothing in common.
    ///
    /// # Errors
    /// None in practice: the images are whole.
    pub fn patch(&self, image: u8) -> Result<Vec<u8>> {
        let (base, target) = (&self.file(0).bytes, &self.file(image).bytes);
        let covered = Image::read(&mut base.as_slice())
            .map_err(|error| anyhow!("{error:?}"))?
            .covered_len();
        let options = Options {
            method: Some(Method::Plain),
            ..Options::default()
        };
        let base = base
            .get(..covered as usize)
            .context("an image shorter than it says")?;
        Ok(make(base, target, &options).bytes)
    }

    /// Which image has this digest.
    pub fn which(&self, hash: &[u8; 32]) -> Option<u8> {
        (0..3).find(|&image| self.file(image).hash == *hash)
    }

    /// The security counter of an image.
    pub fn counter(image: u8) -> u32 {
        u32::from(image) + 1
    }
}

fn file(geometry: &Geometry, key: &SigningKey, version: u8, len: usize) -> File {
    let mut noise = u32::from(version).wrapping_mul(0x9E37_79B9);
    let mut payload: Vec<u8> = (0..len)
        .map(|_| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (noise >> 24) as u8
        })
        .collect();
    let start = (ADDRESS + geometry.primary() + 0x101).to_le_bytes();
    for (to, from) in payload.iter_mut().skip(4).zip(start) {
        *to = from;
    }
    let builder = ImageBuilder::new(payload)
        .version(Version {
            major: version,
            minor: 0,
            revision: 0,
            build: 0,
        })
        .header_size(32)
        .security_counter(version.into())
        .sign(key);
    File {
        bytes: builder.build(),
        hash: builder.digest(),
    }
}
