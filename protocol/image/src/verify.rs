//! Whether an image is to be trusted.

#[cfg(all(feature = "ed25519", feature = "sha512"))]
use crate::CHUNK;
use crate::digest::Hashed;
use crate::error::detail;
use crate::key::SignatureCheck;
use crate::signatures::{Walk, Walked};
use crate::{Digest, Digester, Error, Flags, Image, PublicKey, Refusal, Source, Tlv, VerifyError};

/// Bytes of the longest signature: an Ed25519 one has 64, an ECDSA one at most 72, an RSA-3072 one 384.
const MAX_SIGNATURE: usize = if cfg!(feature = "rsa") { 384 } else { 72 };

/// What a verifier lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policy {
    /// Accept keys whose private halves are published: for trials on a desk.
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

/// The check of an image's form, digest and signatures in bounded steps, for a board that has other things to do between
/// them: about 700 bytes.
///
/// A step hashes [`CHUNK`](crate::CHUNK) bytes, reads one TLV, or does a piece of a signature's check: with the features
/// `small-p256` and `small-ed25519` at most 1.2 million instructions of a Cortex-M0. The crates behind the features `p256` and `ed25519`
/// check a signature in one call, and so in one step, as does an Ed25519 signature over the whole image (feature `sha512`).
///
/// The work is bounded by the verifier's own keys, not by the image: no key is tried twice, and an image with two
/// signatures that name one of the keys is refused before either is tried.
#[derive(Debug, Clone)]
pub struct Verification {
    stage: VerificationStage,
    digester: Digester,
    digest: Hashed,
    walk: Walk,
    /// Index of the key whose signatures are counted, then of the one that a signature is checked with.
    key: usize,
    /// A signature that names the key was counted.
    seen: bool,
    check: SignatureCheck,
}

#[derive(Debug, Clone, Copy)]
enum VerificationStage {
    Hashing,
    /// The signatures that name the key are counted.
    Counting,
    /// The next signature by one of the keys is looked for.
    Seeking,
    /// A signature is being checked with the key.
    Checking,
}

/// What a step came to.
enum Stepped {
    Working,
    /// The key of this index signed the image.
    Trusted(usize),
    Untrusted,
}

impl Verification {
    /// To be begun. Not a constant: that would lie in a bootloader's flash, almost all of it zeros.
    #[allow(clippy::new_without_default, reason = "what is not begun is no default")]
    pub fn new() -> Self {
        Self {
            stage: VerificationStage::Hashing,
            digester: Digester::none(),
            digest: Hashed::none(),
            walk: Walk::none(),
            key: 0,
            seen: false,
            check: SignatureCheck::Done(false),
        }
    }

    /// Begins to check `image`.
    ///
    /// # Errors
    /// What can be refused without reading on.
    pub fn begin(&mut self, image: &Image) -> Result<(), Refusal> {
        image.check_shape()?;
        self.begin_unsigned(image)
    }

    /// Does the next step; returns the verdict after the last one. The image, the source and the keys are the same at
    /// every step.
    ///
    /// # Errors
    /// A failed read.
    pub fn step<S: Source>(
        &mut self,
        image: &Image,
        source: &mut S,
        keys: &[PublicKey],
        policy: &Policy,
    ) -> Result<Option<bool>, S::Error> {
        match self.advance(image, source, keys, policy, &mut ()) {
            Ok(Stepped::Working) => Ok(None),
            Ok(Stepped::Trusted(_)) => Ok(Some(true)),
            Ok(Stepped::Untrusted) => Ok(Some(false)),
            Err(Error::Source(error)) => Err(error),
            Err(Error::Format(_) | Error::Refused(_)) => Ok(Some(false)),
        }
    }

    /// 0 once a good signature was found, and else a number of which almost all bits are set. Whoever starts the image makes
    /// the address to jump to with it, so that a processor that was made to skip the verdict goes nowhere: with feature
    /// `small-p256` or `small-ed25519` the number is computed anew from what the signature's check left, and in another way.
    pub fn residue(&self) -> u32 {
        self.check.residue()
    }

    /// Begins to compare the digest of `image` alone, whatever may speak against the image otherwise.
    ///
    /// # Errors
    /// A digest that is missing or of a kind that is not known here.
    pub fn begin_unsigned(&mut self, image: &Image) -> Result<(), Refusal> {
        self.stage = VerificationStage::Hashing;
        self.check = SignatureCheck::Done(false);
        self.digester
            .begin_part(image.digest_kind()?, 0, image.covered_len())
    }

    /// Does the next step of a check of the digest alone, which says nothing about who made the image; returns the verdict
    /// after the last one.
    ///
    /// # Errors
    /// A failed read.
    pub fn step_unsigned<S: Source>(
        &mut self,
        image: &Image,
        source: &mut S,
    ) -> Result<Option<bool>, S::Error> {
        match self.hash(image, source) {
            Ok(done) => Ok(done.then_some(true)),
            Err(Error::Source(error)) => Err(error),
            Err(Error::Format(_) | Error::Refused(_)) => Ok(Some(false)),
        }
    }

    /// Hashes the next bytes; returns whether all of them were hashed to the digest that the image carries.
    fn hash<S: Source>(&mut self, image: &Image, source: &mut S) -> Result<bool, Error<S::Error>> {
        if !self.digester.step(source).map_err(Error::Source)? {
            return Ok(false);
        }
        self.digester.finish_into(&mut self.digest);
        let mut carried = Hashed::none();
        image.carried(source, &mut carried)?;
        if carried.as_slice() == self.digest.as_slice() {
            Ok(true)
        } else {
            Err(Refusal::Altered.into())
        }
    }

    fn begin_counting(&mut self, image: &Image, key: usize) {
        self.stage = VerificationStage::Counting;
        self.walk.begin(image);
        (self.key, self.seen) = (key, false);
    }

    fn advance<S: Source>(
        &mut self,
        image: &Image,
        source: &mut S,
        keys: &[PublicKey],
        policy: &Policy,
        report: &mut impl Report,
    ) -> Result<Stepped, Error<S::Error>> {
        match self.stage {
            VerificationStage::Hashing => {
                if self.hash(image, source)? {
                    self.begin_counting(image, 0);
                }
            }
            VerificationStage::Counting => {
                let Some(key) = keys.get(self.key) else {
                    self.stage = VerificationStage::Seeking;
                    return Ok(Stepped::Working);
                };
                let mut tlv = Tlv::none();
                match self.walk.step(source, &mut tlv)? {
                    Walked::Other => {}
                    Walked::Signature => {
                        if key.has_hash(self.walk.named.as_slice()) {
                            if self.seen {
                                let key_hash = detail(|| key.hash());
                                return Err(Refusal::RepeatedSigner { key_hash }.into());
                            }
                            self.seen = true;
                        }
                        self.walk.named.clear();
                    }
                    Walked::End => self.begin_counting(image, self.key + 1),
                }
            }
            VerificationStage::Seeking => {
                let mut tlv = Tlv::none();
                match self.walk.step(source, &mut tlv)? {
                    Walked::Other => {}
                    Walked::Signature => self.begin_signature(image, source, keys, &tlv, report)?,
                    Walked::End => return Ok(Stepped::Untrusted),
                }
            }
            VerificationStage::Checking => {
                let (Some(good), Some(key)) = (self.check.step(), keys.get(self.key)) else {
                    return Ok(Stepped::Working);
                };
                if !good {
                    report.refused(|| Refusal::BadSignature {
                        key_hash: detail(|| key.hash()),
                    });
                } else if !policy.allow_development_keys && key.is_development_key() {
                    report.refused(|| Refusal::DevelopmentKey {
                        key_hash: detail(|| key.hash()),
                    });
                } else {
                    return Ok(Stepped::Trusted(self.key));
                }
                self.stage = VerificationStage::Seeking;
            }
        }
        Ok(Stepped::Working)
    }

    /// Begins to check the signature at `tlv`, if one of the keys is named.
    fn begin_signature<S: Source>(
        &mut self,
        image: &Image,
        source: &mut S,
        keys: &[PublicKey],
        tlv: &Tlv,
        report: &mut impl Report,
    ) -> Result<(), Error<S::Error>> {
        let named = self.walk.named.as_slice();
        let found = keys.iter().enumerate().find(|(_, key)| key.has_hash(named));
        if let Some((index, key)) = found {
            self.key = index;
            if image.begin_signature(source, tlv, self.digest.as_slice(), key, &mut self.check)? {
                self.stage = VerificationStage::Checking;
            } else {
                report.refused(|| Refusal::UnsupportedSignature {
                    kind: detail(|| tlv.kind),
                });
            }
        } else {
            // No key of another kind could be trusted, whoever's it is.
            report.refused(|| match tlv.kind {
                kind if kind.is_verified() => Refusal::UnknownSigner {
                    key_hash: detail(|| named.try_into().ok()),
                },
                kind => Refusal::UnsupportedSignature {
                    kind: detail(|| kind),
                },
            });
        }
        self.walk.named.clear();
        Ok(())
    }
}

impl Image {
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
        let mut verification = Verification::new();
        verification.begin(self)?;
        self.finish(verification, source, keys, policy)
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
        let mut verification = Verification::new();
        verification.digest = digest.into();
        verification.begin_counting(self, 0);
        self.finish(verification, source, keys, policy)
    }

    fn finish<S: Source>(
        &self,
        mut verification: Verification,
        source: &mut S,
        keys: &[PublicKey],
        policy: &Policy,
    ) -> Result<Verified, VerifyError<S::Error>> {
        let mut refusal = Refusal::Unsigned;
        let key = loop {
            match verification.advance(self, source, keys, policy, &mut refusal)? {
                Stepped::Working => {}
                Stepped::Trusted(key) => break key,
                Stepped::Untrusted => return Err(refusal.into()),
            }
        };
        match (keys.get(key), verification.digest.digest()) {
            (Some(signed), Some(digest)) => Ok(Verified {
                key,
                key_hash: signed.hash(),
                digest,
            }),
            // It was found among the keys, and the digest was compared: the other is never seen.
            _ => Err(refusal.into()),
        }
    }

    /// What can be refused without reading on.
    fn check_shape(&self) -> Result<(), Refusal> {
        let flags = self.header().flags;
        if let Some(kind) = self.stray {
            Err(Refusal::UnprotectedTlv {
                kind: detail(|| kind),
            })
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

    /// Begins to check the signature at `tlv` with `key`. False where this build can't, or where the signature is of
    /// another algorithm than the key.
    fn begin_signature<S: Source>(
        &self,
        source: &mut S,
        tlv: &Tlv,
        digest: &[u8],
        key: &PublicKey,
        check: &mut SignatureCheck,
    ) -> Result<bool, Error<S::Error>> {
        if tlv.kind != key.algorithm().tlv() {
            return Ok(false);
        }
        *check = SignatureCheck::Done(false);
        let mut bytes = [0; MAX_SIGNATURE];
        let Some(bytes) = bytes.get_mut(..usize::from(tlv.len)) else {
            return Ok(true);
        };
        source.read(tlv.offset, bytes).map_err(Error::Source)?;
        if !self.pure {
            return Ok(key.begin_check(digest, bytes, check));
        }
        let verdict = self.signed_pure(source, key, bytes)?;
        if let Some(verdict) = verdict {
            *check = SignatureCheck::Done(verdict);
        }
        Ok(verdict.is_some())
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
