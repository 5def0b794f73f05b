//! Public keys: what a board trusts and a page is given.

#[cfg(feature = "sha512")]
use sha2::Digest as _;

use crate::Sha256;
use crate::algorithm::{Algorithm, KeyError};

/// A key that signatures are checked against. Whether this build can check them depends on the features.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(
    feature = "rsa",
    allow(
        clippy::large_enum_variant,
        reason = "a host has room; a board's build has no RSA"
    )
)]
pub enum PublicKey {
    /// A point of P-256, uncompressed as in SEC1: `04`, x, y.
    P256([u8; 65]),
    /// An Ed25519 key.
    Ed25519([u8; 32]),
    /// An RSA key of 2048 or 3072 bits.
    #[cfg(feature = "rsa")]
    Rsa(crate::rsa::RsaKey),
}

/// What precedes a P-256 point in a SubjectPublicKeyInfo (RFC 5480), uncompressed.
const P256_SPKI: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// What precedes an Ed25519 key in a SubjectPublicKeyInfo (RFC 8410).
const ED25519_SPKI: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

impl PublicKey {
    /// Makes a key of its bytes: 65 of an uncompressed point for P-256, 32 for Ed25519, an `RSAPublicKey` in DER for RSA.
    ///
    /// # Errors
    /// [`KeyError::Damaged`] for another length, or a point that is not uncompressed.
    pub fn from_parts(algorithm: Algorithm, bytes: &[u8]) -> Result<Self, KeyError> {
        match algorithm {
            Algorithm::P256 => bytes
                .try_into()
                .ok()
                .filter(|point: &[u8; 65]| point[0] == 4)
                .map(Self::P256),
            Algorithm::Ed25519 => bytes.try_into().ok().map(Self::Ed25519),
            #[cfg(feature = "rsa")]
            Algorithm::Rsa2048 | Algorithm::Rsa3072 => {
                let key = crate::rsa::RsaKey::from_der(bytes).ok().map(Self::Rsa);
                key.filter(|key| key.algorithm() == algorithm)
            }
        }
        .ok_or(KeyError::Damaged)
    }

    /// The algorithm it is for.
    pub const fn algorithm(&self) -> Algorithm {
        match self {
            Self::P256(_) => Algorithm::P256,
            Self::Ed25519(_) => Algorithm::Ed25519,
            #[cfg(feature = "rsa")]
            Self::Rsa(key) => key.algorithm(),
        }
    }

    /// Its bytes, as [`PublicKey::from_parts`] takes them.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::P256(bytes) => bytes,
            Self::Ed25519(bytes) => bytes,
            #[cfg(feature = "rsa")]
            Self::Rsa(key) => key.der(),
        }
    }

    /// SHA-256 of its `SubjectPublicKeyInfo`, or of its `RSAPublicKey`: the signer's identity, and imgtool's KEYHASH.
    pub fn hash(&self) -> [u8; 32] {
        let mut out = [0; 32];
        self.hash_into(&mut out);
        out
    }

    #[inline(never)]
    fn hash_into(&self, out: &mut [u8; 32]) {
        let mut hash = Sha256::new();
        hash.update(self.prefix());
        hash.update(self.bytes());
        hash.finish(out);
    }

    /// What its hash is of: its `SubjectPublicKeyInfo`, or its `RSAPublicKey`.
    #[cfg(feature = "sign")]
    pub fn to_der(&self) -> alloc::vec::Vec<u8> {
        [self.prefix(), self.bytes()].concat()
    }

    /// SHA-512 of the same, which imgtool writes beside SHA-512 digests.
    #[cfg(feature = "sha512")]
    pub fn hash_sha512(&self) -> [u8; 64] {
        sha2::Sha512::new()
            .chain_update(self.prefix())
            .chain_update(self.bytes())
            .finalize()
            .into()
    }

    /// Whether the private half of this key is published: see [`development_key`](crate::development_key).
    pub fn is_development_key(&self) -> bool {
        crate::development_key(&self.hash()).is_some()
    }

    /// Whether this is the key with that hash, of either length; no key has an empty one.
    pub(crate) fn has_hash(&self, hash: &[u8]) -> bool {
        #[cfg(feature = "sha512")]
        if hash.len() == 64 {
            return self.hash_sha512() == hash;
        }
        let mut own = [0; 32];
        self.hash_into(&mut own);
        own == hash
    }

    fn prefix(&self) -> &'static [u8] {
        match self {
            Self::P256(_) => &P256_SPKI,
            Self::Ed25519(_) => &ED25519_SPKI,
            #[cfg(feature = "rsa")]
            Self::Rsa(_) => &[],
        }
    }

    /// Begins to check whether `signature` is this key's over the digest of an image; `check` says no so far. False if
    /// this build can't check it.
    // A function of its own: the back-ends' arithmetic asserts the sizes of its own numbers, and the check of what can panic
    // knows it by this name.
    #[inline(never)]
    pub(crate) fn begin_check(&self, digest: &[u8], signature: &[u8], check: &mut SignatureCheck) -> bool {
        match self {
            #[cfg(feature = "p256")]
            Self::P256(point) => {
                let Ok(digest) = digest.try_into() else {
                    return false;
                };
                *check = SignatureCheck::Done(signed_p256(point, digest, signature).is_some());
                true
            }
            #[cfg(all(feature = "small-p256", not(feature = "p256")))]
            Self::P256(point) => {
                let Ok(digest) = digest.try_into() else {
                    return false;
                };
                let mut numbers = [0; 64];
                let begun = crate::der::ecdsa_signature(signature, &mut numbers)
                    .and_then(|()| crate::small_p256::EcdsaCheck::new(point, digest, &numbers));
                if let Some(begun) = begun {
                    *check = SignatureCheck::Ecdsa(begun);
                }
                true
            }
            #[cfg(feature = "ed25519")]
            Self::Ed25519(key) => {
                *check = SignatureCheck::Done(signed_ed25519(key, digest, signature).is_some());
                true
            }
            #[cfg(all(feature = "small-ed25519", not(feature = "ed25519")))]
            Self::Ed25519(key) => {
                // A signature over a digest of another kind is not known here.
                let Ok(digest) = digest.try_into() else {
                    return false;
                };
                if let Ok(signature) = signature.try_into() {
                    // It stays where it is: a small chip has no stack for a copy.
                    *check = SignatureCheck::Ed25519(crate::small_ed25519::Ed25519Check::new());
                    if let SignatureCheck::Ed25519(check) = check {
                        check.begin(key, digest, signature);
                    }
                }
                true
            }
            #[cfg(feature = "rsa")]
            Self::Rsa(key) => {
                let Ok(digest) = digest.try_into() else {
                    return false;
                };
                *check = SignatureCheck::Done(key.signed(digest, signature));
                true
            }
            #[allow(unreachable_patterns)]
            _ => {
                let _ = (digest, signature, check);
                false
            }
        }
    }
}

/// Whether a verdict may have come in one call. Where none does, no word of memory can be taken for a good one.
const IN_ONE_CALL: bool = cfg!(any(feature = "p256", feature = "ed25519", feature = "rsa"));

/// The check of one signature, under way.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "a board has no heap to put one on")]
pub(crate) enum SignatureCheck {
    /// In pieces.
    #[cfg(all(feature = "small-p256", not(feature = "p256")))]
    Ecdsa(crate::small_p256::EcdsaCheck),
    /// The same of an Ed25519 signature.
    #[cfg(all(feature = "small-ed25519", not(feature = "ed25519")))]
    Ed25519(crate::small_ed25519::Ed25519Check),
    /// It was done in one call.
    Done(bool),
}

impl SignatureCheck {
    /// Does the next piece; returns the verdict after the last one.
    pub(crate) fn step(&mut self) -> Option<bool> {
        match self {
            #[cfg(all(feature = "small-p256", not(feature = "p256")))]
            Self::Ecdsa(check) => check.step(),
            #[cfg(all(feature = "small-ed25519", not(feature = "ed25519")))]
            Self::Ed25519(check) => check.step(),
            Self::Done(verdict) => Some(*verdict && IN_ONE_CALL),
        }
    }

    /// 0 once the verdict is good, and else a number of which almost all bits are set.
    pub(crate) fn residue(&self) -> u32 {
        match self {
            #[cfg(all(feature = "small-p256", not(feature = "p256")))]
            Self::Ecdsa(check) => check.residue(),
            #[cfg(all(feature = "small-ed25519", not(feature = "ed25519")))]
            Self::Ed25519(check) => check.residue(),
            Self::Done(verdict) => u32::from(*verdict && IN_ONE_CALL).wrapping_sub(1),
        }
    }
}

#[cfg(feature = "p256")]
fn signed_p256(point: &[u8; 65], digest: &[u8; 32], signature: &[u8]) -> Option<()> {
    use p256::ecdsa::signature::hazmat::PrehashVerifier;
    use p256::ecdsa::{Signature, VerifyingKey};

    let mut numbers = [0; 64];
    crate::der::ecdsa_signature(signature, &mut numbers)?;
    let signature = Signature::from_bytes(&numbers.into()).ok()?;
    let key = VerifyingKey::from_sec1_bytes(point).ok()?;
    key.verify_prehash(digest, &signature).ok()
}

#[cfg(feature = "ed25519")]
fn signed_ed25519(key: &[u8; 32], message: &[u8], signature: &[u8]) -> Option<()> {
    use ed25519_dalek::{Signature, VerifyingKey};

    // Strict: a key of small order would sign anything.
    let key = VerifyingKey::from_bytes(key).ok()?;
    key.verify_strict(message, &Signature::from_bytes(signature.try_into().ok()?))
        .ok()
}

/// As its algorithm and its bytes: the codec lends the bytes, as binary codecs do.
#[cfg(feature = "serde")]
impl serde::Serialize for PublicKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.algorithm(), self.bytes()).serialize(serializer)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for PublicKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (algorithm, bytes) = <(Algorithm, &[u8])>::deserialize(deserializer)?;
        PublicKey::from_parts(algorithm, bytes).map_err(serde::de::Error::custom)
    }
}
