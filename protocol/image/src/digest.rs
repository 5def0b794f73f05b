//! The digest that a signature covers: header, payload and protected TLVs.

use sha2::Digest as _;

use crate::{CHUNK, Error, Refusal, Source, TlvKind};

/// SHA-256. The crate's is generic, and each way of using it adds a copy to a bootloader's flash: this is one.
#[derive(Debug, Clone, Default)]
pub struct Sha256(sha2::Sha256);

impl Sha256 {
    /// Of nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in more.
    #[inline(never)]
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all that was taken in.
    /// It begins anew.
    #[inline(never)]
    pub fn finish(&mut self, out: &mut [u8; 32]) {
        self.0.finalize_into_reset(out.into());
    }
}

/// Bytes that are read and hashed at once: a block of SHA-256.
const PIECE: usize = 64;
/// Bytes of the largest digest that this build computes.
const LARGEST: usize = if cfg!(feature = "sha512") { 64 } else { 32 };

/// Room for a digest of an image or of a key. It is handed on by reference: copies of arrays cost a bootloader's flash.
#[derive(Debug, Clone)]
pub(crate) struct Hashed {
    bytes: [u8; LARGEST],
    len: usize,
}

impl Hashed {
    pub(crate) const NONE: Self = Self {
        bytes: [0; LARGEST],
        len: 0,
    };

    /// Room for `len` bytes, if that is the length of a digest that this build knows.
    pub(crate) fn room(&mut self, len: usize) -> Option<&mut [u8]> {
        self.len = 0;
        if len != 32 && len != LARGEST {
            return None;
        }
        self.len = len;
        self.bytes.get_mut(..len)
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    pub(crate) fn sha256(&mut self) -> Option<&mut [u8; 32]> {
        self.len = 32;
        self.bytes.first_chunk_mut()
    }

    /// As the public type; `None` where there is nothing.
    pub(crate) fn digest(&self) -> Option<Digest> {
        match self.len {
            #[cfg(feature = "sha512")]
            64 => Some(Digest::Sha512(*self.bytes.first_chunk()?)),
            32 => Some(Digest::Sha256(*self.bytes.first_chunk()?)),
            _ => None,
        }
    }
}

impl From<Digest> for Hashed {
    fn from(digest: Digest) -> Self {
        let mut hashed = Self::NONE;
        let bytes = digest.as_bytes();
        if let Some(room) = hashed.room(bytes.len()) {
            room.copy_from_slice(bytes);
        }
        hashed
    }
}

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
    /// What was read last. Not on the stack: a processor that was made to skip an instruction there may take what an image
    /// holds for an address to return to.
    buffer: [u8; PIECE],
}

/// The digest of a part of a source, to `out`.
#[inline(never)]
pub(crate) fn of_part<S: Source>(
    source: &mut S,
    kind: TlvKind,
    (at, end): (u32, u32),
    out: &mut Hashed,
) -> Result<(), Error<S::Error>> {
    let mut digester = Digester::new(kind, at, end)?;
    // A step takes in at least a byte.
    while at < end && !digester.step(source)? {}
    digester.finish_into(out);
    Ok(())
}

#[derive(Debug, Clone)]
enum Hash {
    None,
    Sha256(Sha256),
    #[cfg(feature = "sha512")]
    Sha512(sha2::Sha512),
}

impl Digester {
    /// To be begun: of nothing. Not a constant: that would lie in a bootloader's flash, almost all of it zeros.
    pub(crate) fn none() -> Self {
        Self {
            hash: Hash::None,
            at: 0,
            end: 0,
            buffer: [0; PIECE],
        }
    }

    pub(crate) fn new(kind: TlvKind, at: u32, end: u32) -> Result<Self, Refusal> {
        let mut digester = Self::none();
        digester.begin_part(kind, at, end)?;
        Ok(digester)
    }

    /// Begins anew, over the bytes from `at` to `end`.
    pub(crate) fn begin_part(&mut self, kind: TlvKind, at: u32, end: u32) -> Result<(), Refusal> {
        self.hash = match kind {
            TlvKind::SHA256 => Hash::Sha256(Sha256::new()),
            #[cfg(feature = "sha512")]
            TlvKind::SHA512 => Hash::Sha512(sha2::Sha512::new()),
            _ => return Err(Refusal::UnsupportedDigest { kind }),
        };
        (self.at, self.end) = (at, end);
        Ok(())
    }

    /// Takes in at most the next [`CHUNK`] bytes; says whether that was the last of them.
    ///
    /// # Errors
    /// [`Error::Source`] if they cannot be read.
    pub fn step<S: Source>(&mut self, source: &mut S) -> Result<bool, Error<S::Error>> {
        for _ in 0..CHUNK / PIECE {
            self.take(source)?;
            if self.at >= self.end {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes in the next piece, of which there is at least a byte.
    fn take<S: Source>(&mut self, source: &mut S) -> Result<(), Error<S::Error>> {
        const MOST: u32 = PIECE as u32;
        const { assert!(MOST.is_power_of_two() && CHUNK.is_multiple_of(PIECE)) };
        // At most as many bytes as the buffer has, also where the instruction that sees to it first is skipped.
        let left = (self.end - self.at).min(MOST);
        let len = (left.wrapping_sub(1) & (MOST - 1)) + 1;
        let Some(piece) = self.buffer.get_mut(..len as usize) else {
            return Ok(());
        };
        source.read(self.at, piece).map_err(Error::Source)?;
        match &mut self.hash {
            Hash::None => {}
            Hash::Sha256(hash) => hash.update(piece),
            #[cfg(feature = "sha512")]
            Hash::Sha512(hash) => hash.update(piece),
        }
        self.at += len;
        Ok(())
    }

    /// Bytes taken in, and in all.
    pub fn progress(&self) -> (u32, u32) {
        (self.at, self.end)
    }

    /// The digest of what was taken in: the image's once [`Digester::step`] said `true`.
    pub fn finish(mut self) -> Digest {
        let mut hashed = Hashed::NONE;
        self.finish_into(&mut hashed);
        // It always holds one: the other is never seen.
        hashed.digest().unwrap_or(Digest::Sha256([0; 32]))
    }

    pub(crate) fn finish_into(&mut self, out: &mut Hashed) {
        match &mut self.hash {
            Hash::None => out.clear(),
            Hash::Sha256(hash) => {
                if let Some(out) = out.sha256() {
                    hash.finish(out);
                }
            }
            #[cfg(feature = "sha512")]
            Hash::Sha512(hash) => {
                if let Some(out) = out.room(64) {
                    out.copy_from_slice(&hash.finalize_reset());
                }
            }
        }
    }
}
