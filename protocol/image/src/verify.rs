//! Whether an image is to be trusted.

#[cfg(all(feature = "ed25519", feature = "sha512"))]
use crate::CHUNK;
use crate::digest::{Hashed, of_part};
use crate::image::value;
use crate::tlv::Position;
use crate::{Digest, Error, Flags, Image, PublicKey, Refusal, Source, Tlv, TlvKind, VerifyError};

/// What a verifier lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policy {
    /// Accept keys whose private halves MCUboot publishes: for trials on a desk.
    pub allow_development_keys: bool,
}

/// What was found out about a good image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Which of the trusted keys signed it.
    pub key: usize,
    /// That key's SHA-256: the signer's identity.
    pub key_hash: [u8; 32],
    /// The digest, computed and equal to the one carried.
    pub digest: Digest,
}

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

    /// The file in MCUboot's repository that this key's private half stands in, if it does: see
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
#[derive(Debug)]
struct Walk {
    position: Position,
    /// Hash of the key that was named last.
    named: Hashed,
}

impl Walk {
    fn new(image: &Image) -> Self {
        Self {
            position: Position::new(None, image.unprotected()),
            named: Hashed::NONE,
        }
    }

    /// Reads the next signature's TLV to `tlv`, false at the end; `named` is the key that it names. A key speaks for the next signature only, so the caller
    /// clears it.
    fn step<S: Source>(&mut self, source: &mut S, tlv: &mut Tlv) -> Result<bool, Error<S::Error>> {
        while self.position.step(source, tlv)? {
            match tlv.kind {
                TlvKind::KEYHASH => {
                    if let Some(room) = self.named.room(usize::from(tlv.len)) {
                        value(tlv, source, room)?;
                    }
                }
                // The whole key: its hash says as much.
                TlvKind::PUBKEY => {
                    let end = tlv.offset + u32::from(tlv.len);
                    of_part(source, TlvKind::SHA256, (tlv.offset, end), &mut self.named)?;
                }
                kind if kind.is_signature() => return Ok(true),
                _ => {}
            }
        }
        Ok(false)
    }
}

impl<S: Source> Iterator for Signatures<'_, S> {
    type Item = Result<Signature, Error<S::Error>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut tlv = Tlv::NONE;
        match self.walk.step(self.source, &mut tlv) {
            Ok(true) => {
                let signer = self.walk.named.digest().map_or(Signer::Unnamed, Signer::Key);
                self.walk.named.clear();
                Some(Ok(Signature {
                    signer,
                    kind: tlv.kind,
                    offset: tlv.offset,
                    len: tlv.len,
                }))
            }
            Ok(false) => None,
            Err(error) => {
                self.walk.position = Position::new(None, (0, 0));
                Some(Err(error))
            }
        }
    }
}

impl Image {
    /// Its signatures, as they claim to be.
    pub fn signatures<'s, S: Source>(&self, source: &'s mut S) -> Signatures<'s, S> {
        Signatures {
            source,
            walk: Walk::new(self),
        }
    }

    /// Checks that the image is whole, unaltered, runs in place and is signed by one of `keys`.
    ///
    /// Reads the whole image once (twice for a pure signature). Stricter than `imgtool verify`, and why: see
    /// [`Refusal`].
    ///
    /// # Errors
    /// [`Error::Refused`] with the reason, or a failed read.
    pub fn verify<S: Source>(
        &self,
        source: &mut S,
        keys: &[PublicKey],
        policy: &Policy,
    ) -> Result<Verified, VerifyError<S::Error>> {
        self.check_shape()?;
        let digest = self.digest(source)?;
        self.verify_digest(source, digest, keys, policy)
    }

    /// The rest of [`Image::verify`], for a digest that was computed in steps (see [`Image::digester`]).
    ///
    /// # Errors
    /// As [`Image::verify`].
    pub fn verify_digest<S: Source>(
        &self,
        source: &mut S,
        digest: Digest,
        keys: &[PublicKey],
        policy: &Policy,
    ) -> Result<Verified, VerifyError<S::Error>> {
        self.check_shape()?;
        if self.hash(source)? != digest {
            return Err(Refusal::Altered.into());
        }
        let mut refusal = Refusal::Unsigned;
        match self.signer(source, digest.as_bytes(), keys, policy, &mut refusal)? {
            Some((key, signed)) => Ok(Verified {
                key,
                key_hash: signed.hash(),
                digest,
            }),
            None => Err(refusal.into()),
        }
    }

    /// [`Image::verify`] for a board, which has nobody to tell the reasons to: only what it means to run the image or not.
    ///
    /// # Errors
    /// A failed read.
    pub fn is_trusted<S: Source>(
        &self,
        source: &mut S,
        keys: &[PublicKey],
        policy: &Policy,
    ) -> Result<bool, S::Error> {
        if self.check_shape().is_err() {
            return Ok(false);
        }
        let mut digest = Hashed::NONE;
        let signer = self.is_whole(source, &mut digest).and_then(|whole| match whole {
            true => self.signer(source, digest.as_slice(), keys, policy, &mut ()),
            false => Ok(None),
        });
        match signer {
            Ok(signer) => Ok(signer.is_some()),
            Err(Error::Source(error)) => Err(error),
            Err(Error::Format(_) | Error::Refused(_)) => Ok(false),
        }
    }

    /// Whether the image has the digest that it carries: as much as can be said without a key.
    ///
    /// # Errors
    /// A failed read.
    pub fn is_unaltered<S: Source>(&self, source: &mut S) -> Result<bool, S::Error> {
        let mut digest = Hashed::NONE;
        match self.is_whole(source, &mut digest) {
            Ok(whole) => Ok(whole),
            Err(Error::Source(error)) => Err(error),
            Err(Error::Format(_) | Error::Refused(_)) => Ok(false),
        }
    }

    #[inline(never)]
    fn is_whole<S: Source>(&self, source: &mut S, digest: &mut Hashed) -> Result<bool, Error<S::Error>> {
        let mut carried = Hashed::NONE;
        self.carried(source, &mut carried)?;
        self.computed(source, digest)?;
        Ok(carried.as_slice() == digest.as_slice())
    }

    /// The key that made one of the signatures, and its place among the keys.
    fn signer<'k, S: Source>(
        &self,
        source: &mut S,
        digest: &[u8],
        keys: &'k [PublicKey],
        policy: &Policy,
        report: &mut impl Report,
    ) -> Result<Option<(usize, &'k PublicKey)>, Error<S::Error>> {
        let (mut walk, mut tlv) = (Walk::new(self), Tlv::NONE);
        while walk.step(source, &mut tlv)? {
            let named = walk.named.as_slice();
            let found = keys
                .iter()
                .enumerate()
                .find(|(_, key)| !named.is_empty() && key.has_hash(named));
            match found {
                Some((index, key)) if self.check(source, &tlv, digest, key, policy, report)? => {
                    return Ok(Some((index, key)));
                }
                Some(_) => {}
                // No key of another kind could be trusted, whoever's it is.
                None => report.refused(|| match tlv.kind {
                    TlvKind::ECDSA | TlvKind::ED25519 => Refusal::UnknownSigner {
                        key_hash: named.try_into().ok(),
                    },
                    kind => Refusal::UnsupportedSignature { kind },
                }),
            }
            walk.named.clear();
        }
        Ok(None)
    }

    /// What can be refused without reading on.
    fn check_shape(&self) -> Result<(), Refusal> {
        let flags = self.header().flags;
        if let Some(kind) = self.stray {
            Err(Refusal::UnprotectedTlv { kind })
        } else if flags.is_encrypted() {
            Err(Refusal::Encrypted)
        } else if flags.is_compressed() {
            Err(Refusal::Compressed)
        } else if flags.contains(Flags::NON_BOOTABLE) {
            Err(Refusal::NonBootable)
        } else if flags.contains(Flags::RAM_LOAD) {
            Err(Refusal::RamLoad)
        } else {
            Ok(())
        }
    }

    /// Whether this key made this signature, and may.
    fn check<S: Source>(
        &self,
        source: &mut S,
        tlv: &Tlv,
        digest: &[u8],
        key: &PublicKey,
        policy: &Policy,
        report: &mut impl Report,
    ) -> Result<bool, Error<S::Error>> {
        // An Ed25519 signature has 64 bytes, an ECDSA one at most 72.
        let mut bytes = [0; 72];
        let mut good = None;
        if tlv.kind == key.algorithm().tlv() {
            good = Some(false);
            if let Some(bytes) = bytes.get_mut(..usize::from(tlv.len)) {
                source.read(tlv.offset, bytes).map_err(Error::Source)?;
                good = if self.pure {
                    self.signed_pure(source, key, bytes)?
                } else {
                    key.signed(digest, bytes)
                };
            }
        }
        match good {
            None => report.refused(|| Refusal::UnsupportedSignature { kind: tlv.kind }),
            Some(false) => report.refused(|| Refusal::BadSignature { key_hash: key.hash() }),
            Some(true) if !policy.allow_development_keys && key.is_development_key() => {
                report.refused(|| Refusal::DevelopmentKey { key_hash: key.hash() });
            }
            Some(true) => return Ok(true),
        }
        Ok(false)
    }

    /// Checks a signature over the image itself instead of its digest.
    #[cfg(all(feature = "ed25519", feature = "sha512"))]
    fn signed_pure<S: Source>(
        &self,
        source: &mut S,
        key: &PublicKey,
        signature: &[u8],
    ) -> Result<Option<bool>, Error<S::Error>> {
        let PublicKey::Ed25519(bytes) = key else {
            return Ok(None);
        };
        let Ok(signature) = signature.try_into() else {
            return Ok(Some(false));
        };
        let stream = ed25519_dalek::VerifyingKey::from_bytes(bytes)
            .ok()
            .filter(|key| !key.is_weak())
            .and_then(|key| {
                key.verify_stream(&ed25519_dalek::Signature::from_bytes(signature))
                    .ok()
            });
        let Some(mut stream) = stream else {
            return Ok(Some(false));
        };
        let mut buffer = [0; CHUNK];
        let mut at = 0;
        while at < self.covered_len() {
            let len = (self.covered_len() - at).min(CHUNK as u32);
            let Some(part) = buffer.get_mut(..len as usize) else {
                break;
            };
            source.read(at, part).map_err(Error::Source)?;
            stream.update(&*part);
            at += len;
        }
        Ok(Some(stream.finalize_and_verify().is_ok()))
    }

    #[cfg(not(all(feature = "ed25519", feature = "sha512")))]
    fn signed_pure<S: Source>(
        &self,
        _: &mut S,
        _: &PublicKey,
        _: &[u8],
    ) -> Result<Option<bool>, Error<S::Error>> {
        Ok(None)
    }
}

/// Who is told why a signature does not count. A board tells nobody, and then links no code that finds out.
trait Report {
    fn refused(&mut self, reason: impl FnOnce() -> Refusal);
}

impl Report for () {
    fn refused(&mut self, _: impl FnOnce() -> Refusal) {}
}

/// Of several failed signatures, the one that tells most is kept.
impl Report for Refusal {
    fn refused(&mut self, reason: impl FnOnce() -> Refusal) {
        let reason = reason();
        if rank(&reason) >= rank(self) {
            *self = reason;
        }
    }
}

fn rank(refusal: &Refusal) -> u8 {
    match refusal {
        Refusal::Unsigned => 0,
        Refusal::UnknownSigner { .. } => 1,
        Refusal::UnsupportedSignature { .. } => 2,
        Refusal::DevelopmentKey { .. } => 3,
        _ => 4,
    }
}
