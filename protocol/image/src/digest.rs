//! The digest that a signature covers: header, payload and protected TLVs.

#[cfg(feature = "sha512")]
use sha2::Digest as _;

use crate::error::detail;
use crate::{CHUNK, Error, Refusal, Source, TlvKind};

/// SHA-256 by the crate's compression, with blocks and padding of its own. The crate's are generic, and each way of using them
/// adds a copy to a bootloader's flash; and they put the last block on the stack, where a processor that was made to skip an
/// instruction takes what an image holds for an address to return to.
#[derive(Debug, Clone)]
pub struct Sha256 {
    state: [u32; 8],
    /// The block that is being filled.
    block: [u8; PIECE],
    /// Bytes taken in.
    len: u64,
}

/// FIPS 180-4, 5.3.3: the first 32 bits of the fractional parts of the first eight primes' square roots.
const INITIAL: [u32; 8] = [
    0x6A09_E667,
    0xBB67_AE85,
    0x3C6E_F372,
    0xA54F_F53A,
    0x510E_527F,
    0x9B05_688C,
    0x1F83_D9AB,
    0x5BE0_CD19,
];

impl Default for Sha256 {
    fn default() -> Self {
        Sha256 {
            state: INITIAL,
            block: [0; PIECE],
            len: 0,
        }
    }
}

impl Sha256 {
    /// Of nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in more.
    #[inline(never)]
    pub fn update(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((first, others)) = rest.split_first() {
            // Whole blocks are most of an image: byte by byte they would take a small board a twentieth longer.
            if (self.len as usize).is_multiple_of(PIECE)
                && let Some((block, others)) = rest.split_first_chunk()
            {
                self.block = *block;
                self.len += PIECE as u64;
                self.compress();
                rest = others;
            } else {
                self.push(*first);
                rest = others;
            }
        }
    }

    /// Takes in a whole block and nothing else, where what was taken in before were whole blocks; says whether it was so. Small
    /// enough for a board to have it, and [`compress`], in RAM while its flash can't be read.
    #[inline(always)]
    pub fn update_block(&mut self, block: &[u8; PIECE]) -> bool {
        let is_whole = (self.len as usize).is_multiple_of(PIECE);
        if is_whole {
            self.len += PIECE as u64;
            compress(&mut self.state, block);
        }
        is_whole
    }

    #[inline(always)]
    fn compress(&mut self) {
        compress(&mut self.state, &self.block);
    }

    fn push(&mut self, byte: u8) {
        let at = self.len as usize % PIECE;
        if let Some(place) = self.block.get_mut(at) {
            *place = byte;
        }
        self.len += 1;
        if at == PIECE - 1 {
            self.compress();
        }
    }

    /// The digest of all that was taken in. It begins anew.
    #[inline(never)]
    pub fn finish(&mut self, out: &mut [u8; 32]) {
        let bits = self.len * 8;
        self.push(0x80);
        while self.len as usize % PIECE != PIECE - 8 {
            self.push(0);
        }
        for byte in bits.to_be_bytes() {
            self.push(byte);
        }
        for (place, word) in out.as_chunks_mut().0.iter_mut().zip(self.state) {
            *place = word.to_be_bytes();
        }
        self.restart();
    }

    /// Begins anew.
    #[inline(never)]
    pub fn restart(&mut self) {
        (self.state, self.len) = (INITIAL, 0);
    }
}

/// Bytes that are read and hashed at once: a block of SHA-256.
const PIECE: usize = 64;

/// Takes a block into a state. Linker scripts of boards know this function by its name.
#[inline(never)]
fn compress(state: &mut [u32; 8], block: &[u8; PIECE]) {
    sha2::block_api::compress256(state, core::slice::from_ref(block));
}
/// Bytes of the largest digest that this build computes.
const LARGEST: usize = if cfg!(feature = "sha512") { 64 } else { 32 };

/// Room for a digest of an image or of a key. It is handed on by reference: copies of arrays cost a bootloader's flash.
#[derive(Debug, Clone)]
pub(crate) struct Hashed {
    bytes: [u8; LARGEST],
    len: usize,
}

impl Hashed {
    pub(crate) fn none() -> Self {
        Self {
            bytes: [0; LARGEST],
            len: 0,
        }
    }

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
        let mut hashed = Self::none();
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
    while at < end && !digester.step(source).map_err(Error::Source)? {}
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
            _ => {
                return Err(Refusal::UnsupportedDigest {
                    kind: detail(|| kind),
                });
            }
        };
        (self.at, self.end) = (at, end);
        Ok(())
    }

    /// Takes in at most the next [`CHUNK`] bytes; says whether that was the last of them.
    ///
    /// What it gives fits a register, and it is not made part of its caller: were there a place on the caller's stack for it to
    /// write to, a processor that was made to skip an instruction could take that place for the hash's, and what an image holds
    /// would go over an address to return to (`cargo xtask faults`).
    ///
    /// # Errors
    /// The source's, if they cannot be read.
    #[inline(never)]
    pub fn step<S: Source>(&mut self, source: &mut S) -> Result<bool, S::Error> {
        for _ in 0..CHUNK / PIECE {
            self.take(source)?;
            if self.at >= self.end {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes in the next piece, of which there is at least a byte.
    fn take<S: Source>(&mut self, source: &mut S) -> Result<(), S::Error> {
        const MOST: u32 = PIECE as u32;
        const { assert!(MOST.is_power_of_two() && CHUNK.is_multiple_of(PIECE)) };
        // At most as many bytes as the buffer has, also where the instruction that sees to it first is skipped.
        let left = (self.end - self.at).min(MOST);
        let len = (left.wrapping_sub(1) & (MOST - 1)) + 1;
        let Some(piece) = self.buffer.get_mut(..len as usize) else {
            return Ok(());
        };
        source.read(self.at, piece)?;
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
        let mut hashed = Hashed::none();
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use sha2::Digest as _;

    use super::*;

    #[test]
    fn every_length_and_every_cut_hashes_as_the_crate_does() {
        let bytes: std::vec::Vec<u8> = (0..300u32).map(|byte| (byte * 7) as u8).collect();
        let mut own = Sha256::new();
        for len in 0..bytes.len() {
            let (first, second) = bytes[..len].split_at(len / 3);
            own.update(first);
            own.update(second);
            let mut digest = [0; 32];
            own.finish(&mut digest);
            assert_eq!(digest[..], sha2::Sha256::digest(&bytes[..len])[..], "{len} bytes");
        }
    }
}
