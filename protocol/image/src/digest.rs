//! The digest that a signature covers: header, payload and protected TLVs.

use sha2::Digest as _;

use crate::{CHUNK, Error, Refusal, Source, TlvKind};

/// A digest of an image, of the kind that the image carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digest {
    /// SHA-256.
    Sha256([u8; 32]),
    /// SHA-512.
    #[cfg(feature = "sha512")]
    Sha512([u8; 64]),
}

impl Digest {
    /// Its bytes: 32 or 64.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Sha256(bytes) => bytes,
            #[cfg(feature = "sha512")]
            Self::Sha512(bytes) => bytes,
        }
    }
}

/// Computes the digest of an image in steps, for a board that has other things to do meanwhile.
#[derive(Debug, Clone)]
pub struct Digester {
    hash: Hash,
    at: u32,
    end: u32,
}

#[derive(Debug, Clone)]
enum Hash {
    Sha256(sha2::Sha256),
    #[cfg(feature = "sha512")]
    Sha512(sha2::Sha512),
}

impl Digester {
    pub(crate) fn new(kind: TlvKind, end: u32) -> Result<Self, Refusal> {
        let hash = match kind {
            TlvKind::SHA256 => Hash::Sha256(sha2::Sha256::new()),
            #[cfg(feature = "sha512")]
            TlvKind::SHA512 => Hash::Sha512(sha2::Sha512::new()),
            _ => return Err(Refusal::UnsupportedDigest { kind }),
        };
        Ok(Self { hash, at: 0, end })
    }

    /// Takes in at most the next [`CHUNK`] bytes; says whether that was the last of them.
    ///
    /// # Errors
    /// [`Error::Source`] if they cannot be read.
    pub fn step<S: Source>(&mut self, source: &mut S) -> Result<bool, Error<S::Error>> {
        let mut buffer = [0; CHUNK];
        let len = (self.end - self.at).min(CHUNK as u32);
        let Some(chunk) = buffer.get_mut(..len as usize) else {
            return Ok(true);
        };
        source.read(self.at, chunk).map_err(Error::Source)?;
        match &mut self.hash {
            Hash::Sha256(hash) => hash.update(chunk),
            #[cfg(feature = "sha512")]
            Hash::Sha512(hash) => hash.update(chunk),
        }
        self.at += len;
        Ok(self.at >= self.end)
    }

    /// Bytes taken in, and in all.
    pub fn progress(&self) -> (u32, u32) {
        (self.at, self.end)
    }

    /// The digest of what was taken in: the image's once [`Digester::step`] said `true`.
    pub fn finish(self) -> Digest {
        match self.hash {
            Hash::Sha256(hash) => Digest::Sha256(hash.finalize().into()),
            #[cfg(feature = "sha512")]
            Hash::Sha512(hash) => Digest::Sha512(hash.finalize().into()),
        }
    }
}
