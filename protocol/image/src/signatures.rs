//! The signatures of an image, as they claim to be: whose they are, and where they lie.

use crate::digest::{Hashed, of_part};
use crate::image::value;
use crate::tlv::Position;
use crate::{Digest, Error, Image, Source, Tlv, TlvKind};

/// Whose key a signature names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signer {
    /// A hash of the key: SHA-256, or SHA-512 beside a SHA-512 digest.
    Key(Digest),
    /// Nobody's that can be understood: no key before the signature, or a hash of another length.
    Unnamed,
}

impl Signer {
    /// SHA-256 of the key, where the image gives that.
    pub fn sha256(&self) -> Option<[u8; 32]> {
        match self {
            Self::Key(Digest::Sha256(hash)) => Some(*hash),
            _ => None,
        }
    }

    /// The published file that this key's private half stands in, if there is one: see
    /// [`development_key`](crate::development_key).
    pub fn development_key(&self) -> Option<&'static str> {
        match self {
            Self::Key(hash) => crate::development_key(hash.as_bytes().first_chunk()?),
            Self::Unnamed => None,
        }
    }
}

/// A signature in an image; not yet checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    /// Whose it claims to be.
    pub signer: Signer,
    /// Its TLV type, which tells the algorithm.
    pub kind: TlvKind,
    /// Where its value lies, in bytes from the start of the image.
    pub offset: u32,
    /// Its length in bytes.
    pub len: u16,
}

/// The signatures of an image in their order; ends after the first error.
#[derive(Debug)]
pub struct Signatures<'s, S> {
    source: &'s mut S,
    walk: Walk,
}

/// The walk apart from the source, so that a verifier may read the signature itself meanwhile.
#[derive(Debug, Clone)]
pub(crate) struct Walk {
    position: Position,
    /// Hash of the key that was named last. A key speaks for the next signature only, so the caller clears it.
    pub(crate) named: Hashed,
}

/// What [`Walk::step`] came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Walked {
    /// An entry that is no signature.
    Other,
    /// A signature.
    Signature,
    /// There are no more entries.
    End,
}

/// Bytes of the largest key that is read: one for RSA-4096 has 550. A longer one names nobody.
const MAX_KEY_LEN: u16 = 600;

impl Walk {
    pub(crate) fn none() -> Self {
        Self {
            position: Position::END,
            named: Hashed::none(),
        }
    }

    pub(crate) fn begin(&mut self, image: &Image) {
        self.position = Position::new(None, image.unprotected());
        self.named.clear();
    }

    /// Reads one entry to `tlv`, and keeps the key that the entry names.
    pub(crate) fn step<S: Source>(
        &mut self,
        source: &mut S,
        tlv: &mut Tlv,
    ) -> Result<Walked, Error<S::Error>> {
        if !self.position.step(source, tlv)? {
            return Ok(Walked::End);
        }
        match tlv.kind {
            TlvKind::KEYHASH => {
                if let Some(room) = self.named.room(usize::from(tlv.len)) {
                    value(tlv, source, room)?;
                }
            }
            TlvKind::PUBKEY if tlv.len > MAX_KEY_LEN => self.named.clear(),
            // The whole key: its hash says as much.
            TlvKind::PUBKEY => {
                let end = tlv.offset + u32::from(tlv.len);
                of_part(source, TlvKind::SHA256, (tlv.offset, end), &mut self.named)?;
            }
            kind if kind.is_signature() => return Ok(Walked::Signature),
            _ => {}
        }
        Ok(Walked::Other)
    }
}

impl<S: Source> Iterator for Signatures<'_, S> {
    type Item = Result<Signature, Error<S::Error>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut tlv = Tlv::none();
        loop {
            match self.walk.step(self.source, &mut tlv) {
                Ok(Walked::Other) => {}
                Ok(Walked::End) => return None,
                Ok(Walked::Signature) => {
                    let signer = self.walk.named.digest().map_or(Signer::Unnamed, Signer::Key);
                    self.walk.named.clear();
                    return Some(Ok(Signature {
                        signer,
                        kind: tlv.kind,
                        offset: tlv.offset,
                        len: tlv.len,
                    }));
                }
                Err(error) => {
                    self.walk.position = Position::END;
                    return Some(Err(error));
                }
            }
        }
    }
}

impl Image {
    /// Its signatures, as they claim to be.
    pub fn signatures<'s, S: Source>(&self, source: &'s mut S) -> Signatures<'s, S> {
        let mut walk = Walk::none();
        walk.begin(self);
        Signatures { source, walk }
    }
}
