//! An image file, read once for all boards.

use alloc::vec::Vec;

use bootlace_image::{
    Digest, Image, Misfit, Policy, PublicKey, Refusal, Requirements, TlvKind, Unstartable, Verified, Version,
};
use sha2::{Digest as _, Sha256};

use crate::{Base, Error, FileKind};

/// An image whose file was parsed and whose digest was computed once. To be shared (`Arc`) by all sessions that send it:
/// what remains to be done for each board is a signature, at most.
///
/// It may still be one that must not be trusted: [`CheckedImage::verify`] says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedImage {
    /// The image, without what followed it in its file.
    bytes: Vec<u8>,
    file_len: usize,
    image: Image,
    /// Computed, of the kind that the image carries; equal to the carried one where the image is unaltered.
    digest: Result<Digest, Refusal>,
    /// The digest that it carries.
    hash: Result<Digest, Refusal>,
    /// SHA-256 of `bytes`: names the upload.
    sha: [u8; 32],
}

/// Reads what a file says of itself as an image: nothing is hashed.
///
/// # Errors
/// [`Error::WrongFile`]: what it is instead, where that can be told; [`Error::Image`]: it is no whole, well-formed image.
pub fn read_image(file: &[u8]) -> Result<Image, Error> {
    Image::read(&mut &*file).map_err(|error| match FileKind::of(file) {
        FileKind::Image | FileKind::Text | FileKind::Unknown => error.into(),
        kind => Error::WrongFile(kind),
    })
}

/// Another image that an image needs (MCUboot's `struct image_dependency`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// The number of the image.
    pub image: u8,
    /// The lowest version of it that will do.
    pub version: Version,
}

impl Dependency {
    /// Reads the value of a TLV of so many bytes: the image's number, three bytes that say nothing here, the version.
    fn parse(value: &[u8], len: u16) -> Option<Self> {
        let [image, _, _, _, major, minor, r0, r1, b0, b1, b2, b3] = *value.first_chunk()?;
        (len == 12).then_some(Dependency {
            image,
            version: Version {
                major,
                minor,
                revision: u16::from_le_bytes([r0, r1]),
                build: u32::from_le_bytes([b0, b1, b2, b3]),
            },
        })
    }
}

impl CheckedImage {
    /// Reads a file as imgtool signed it. What follows the image in it (imgtool's `--pad`) is left out. Hashes the whole
    /// image twice: milliseconds.
    ///
    /// # Errors
    /// As [`read_image`].
    pub fn new(mut file: Vec<u8>) -> Result<Self, Error> {
        let file_len = file.len();
        let image = read_image(&file)?;
        file.truncate(image.total_len() as usize);
        let refusal = |result: Result<Digest, bootlace_image::Error<bootlace_image::OutOfRange>>| match result
        {
            Ok(digest) => Ok(Ok(digest)),
            Err(bootlace_image::Error::Refused(refusal)) => Ok(Err(refusal)),
            Err(error) => Err(Error::from(error)),
        };
        Ok(CheckedImage {
            digest: refusal(image.digest(&mut &file[..]))?,
            hash: refusal(image.hash(&mut &file[..]))?,
            sha: Sha256::digest(&file).into(),
            bytes: file,
            file_len,
            image,
        })
    }

    /// The image, signature included, without what followed it in its file: what goes over the line.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes of the file that it was read from.
    pub fn file_len(&self) -> usize {
        self.file_len
    }

    /// Its header and what its TLVs say.
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// Its version.
    pub fn version(&self) -> Version {
        self.image.header().version
    }

    /// Its hash, as SMP calls it: the digest that it carries. `None`: it carries none that is supported.
    pub fn hash(&self) -> Option<&[u8]> {
        self.hash.as_ref().ok().map(Digest::as_bytes)
    }

    /// SHA-256 of [`CheckedImage::bytes`].
    pub(crate) fn sha(&self) -> [u8; 32] {
        self.sha
    }

    /// Where the application starts on a Cortex-M. `None`: its payload is encrypted or compressed, or too short to say so.
    pub fn start(&self) -> Option<u32> {
        let flags = self.image.header().flags;
        let vector = self.image.reset_vector(&mut self.bytes()).ok()?;
        // Bit 0 is the Thumb bit.
        (!flags.is_encrypted() && !flags.is_compressed()).then_some(vector & !1)
    }

    /// Whether a Cortex-M can start it, in a slot at this address, if one is known: see [`Image::startable`].
    ///
    /// # Errors
    /// [`Error::Unstartable`], with the reason.
    pub fn startable(&self, slot: Option<u32>) -> Result<(), Error> {
        let found = self.image.startable(&mut self.bytes(), slot);
        found
            .map_err(bootlace_image::Error::Source)?
            .map_err(Error::Unstartable)
    }

    /// Why no Cortex-M can start it, whatever else may: a warning, while no board is known. What is empty, nothing starts.
    ///
    /// # Errors
    /// [`Error::Unstartable`] where its payload is empty.
    pub fn start_warning(&self) -> Result<Option<Unstartable>, Error> {
        match self.startable(None) {
            Err(Error::Unstartable(reason)) if !matches!(reason, Unstartable::Empty { .. }) => {
                Ok(Some(reason))
            }
            other => other.map(|()| None),
        }
    }

    /// Whether it fits a board, and a Cortex-M could start it there.
    ///
    /// # Errors
    /// The first reason that speaks against it.
    pub fn fits(&self, board: &Requirements) -> Result<(), Error> {
        self.meets(board)?;
        self.startable(board.slot.map(|(address, _)| address))
    }

    /// Whether it fits a board: the same question as the board's own, as far as the board says what it asks for.
    ///
    /// # Errors
    /// The first reason that speaks against it.
    pub(crate) fn meets(&self, board: &Requirements) -> Result<(), Error> {
        let fit = self.image.fit(&mut self.bytes(), board);
        fit.map_err(bootlace_image::Error::Source)?
            .map_err(|misfit| match misfit {
                Misfit::TooLarge { size, max } => Error::TooLarge { size, max },
                // Whether a board asks for a counter is the board's to say.
                Misfit::NoCounter => Error::TooOld { image: 0, board: 0 },
                Misfit::Vendor { image, board } => Error::WrongVendor { image, board },
                Misfit::Class { image, board } => Error::WrongClass { image, board },
                Misfit::Address { start, slot, size } => Error::WrongAddress { start, slot, size },
                Misfit::NoResetVector => Error::Unstartable(Unstartable::Empty {
                    size: self.image.header().image_size,
                }),
            })
    }

    /// Whether it is unaltered, and signed by one of `keys`.
    ///
    /// # Errors
    /// [`Error::Refused`], with the reason.
    pub fn verify(&self, keys: &[PublicKey], policy: &Policy) -> Result<Verified, Error> {
        let source = &mut self.bytes();
        Ok(match self.digest {
            Ok(digest) => self.image.verify_digest(source, digest, keys, policy)?,
            // Says what is worse than the digest first.
            Err(_) => self.image.verify(source, keys, policy)?,
        })
    }

    /// Whether it is unaltered and of a kind that boards take: what can be said without keys.
    ///
    /// # Errors
    /// [`Error::Refused`], with the reason.
    pub fn intact(&self) -> Result<(), Error> {
        match self.verify(&[], &Policy::default()) {
            // Whose it is, was not asked.
            Err(Error::Refused(
                Refusal::UnknownSigner { .. } | Refusal::UnsupportedSignature { .. } | Refusal::Unsigned,
            )) => Ok(()),
            verdict => verdict.map(drop),
        }
    }

    /// Whether all its signatures are RSA's, which no board with the companion checks.
    pub fn is_signed_with_rsa_only(&self) -> bool {
        let source = &mut self.bytes();
        let mut kinds = self
            .image
            .signatures(source)
            .filter_map(Result::ok)
            .map(|signature| signature.kind)
            .peekable();
        kinds.peek().is_some() && kinds.all(|kind| matches!(kind, TlvKind::RSA2048 | TlvKind::RSA3072))
    }

    /// The other images that it needs, as its signer says.
    pub fn dependencies(&self) -> Vec<Dependency> {
        let source = &mut self.bytes();
        let needed = self.image.tlvs(source).filter_map(Result::ok).filter(|tlv| {
            // Only what the signature covers counts.
            tlv.kind == TlvKind::DEPENDENCY && tlv.protected
        });
        needed
            .filter_map(|tlv| Dependency::parse(self.bytes.get(tlv.offset as usize..)?, tlv.len))
            .collect()
    }

    /// What a patch can start from or lead to; `None` where the digest is not right.
    pub fn base(&self) -> Option<Base<'_>> {
        let (digest, hash) = (self.digest.ok()?, self.hash.ok()?);
        (digest == hash).then_some(())?;
        Some(Base {
            hash: hash.as_bytes().to_vec(),
            bytes: self.bytes.get(..self.image.covered_len() as usize)?,
            whole: &self.bytes,
        })
    }
}
