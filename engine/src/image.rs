//! An image file, read once for all boards.

use alloc::vec::Vec;

use bootlace_image::{Digest, Image, Policy, PublicKey, Refusal, Verified, Version};
use sha2::{Digest as _, Sha256};

use crate::file_kind::IMAGE;
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

/// Why a file is no image: what it is instead, where that can be told.
fn no_image(file: &[u8], error: bootlace_image::Error<bootlace_image::OutOfRange>) -> Error {
    if file.starts_with(&IMAGE) {
        return error.into();
    }
    match FileKind::of(file) {
        FileKind::Text | FileKind::Unknown => error.into(),
        kind => Error::WrongFile(kind),
    }
}

impl CheckedImage {
    /// Reads a file as imgtool signed it. What follows the image in it (imgtool's `--pad`) is left out. Hashes the whole
    /// image twice: milliseconds.
    ///
    /// # Errors
    /// [`Error::Image`]: it is no whole, well-formed image.
    pub fn new(mut file: Vec<u8>) -> Result<Self, Error> {
        let file_len = file.len();
        let image = match Image::read(&mut &file[..]) {
            Ok(image) => image,
            Err(error) => return Err(no_image(&file, error)),
        };
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

    /// Where the application starts.
    ///
    /// # Errors
    /// [`Error::Image`]: the payload holds no vector table.
    pub fn reset_vector(&self) -> Result<u32, Error> {
        Ok(self.image.reset_vector(&mut self.bytes())?)
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
