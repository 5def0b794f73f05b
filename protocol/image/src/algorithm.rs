//! Signature algorithms, and what keeps a key from being one of theirs.

use core::fmt;

use crate::TlvKind;

/// A signature algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Algorithm {
    /// ECDSA over NIST P-256 with SHA-256.
    P256,
    /// Ed25519.
    Ed25519,
    /// RSA-2048, PSS with SHA-256.
    #[cfg(feature = "rsa")]
    Rsa2048,
    /// RSA-3072, PSS with SHA-256.
    #[cfg(feature = "rsa")]
    Rsa3072,
}

impl Algorithm {
    /// The TLV that holds its signatures.
    pub const fn tlv(self) -> TlvKind {
        match self {
            Self::P256 => TlvKind::ECDSA,
            Self::Ed25519 => TlvKind::ED25519,
            #[cfg(feature = "rsa")]
            Self::Rsa2048 => TlvKind::RSA2048,
            #[cfg(feature = "rsa")]
            Self::Rsa3072 => TlvKind::RSA3072,
        }
    }

    /// Whether this build checks its signatures: see the crate's features.
    pub const fn is_checked_here(self) -> bool {
        match self {
            Self::P256 => cfg!(any(feature = "p256", feature = "small-p256")),
            Self::Ed25519 => cfg!(any(feature = "ed25519", feature = "small-ed25519")),
            #[cfg(feature = "rsa")]
            Self::Rsa2048 | Self::Rsa3072 => true,
        }
    }

    /// Whether a board that runs the companion can check its signatures. RSA is for boards that run MCUboot.
    pub const fn is_checked_by_companion(self) -> bool {
        matches!(self, Self::P256 | Self::Ed25519)
    }
}

/// Why a key could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum KeyError {
    /// No key, nor anything that people take for one.
    NoKey,
    /// A private key: a verifier needs, and should get, only the public one.
    PrivateKey,
    /// A certificate, or a request for one: a key is in it.
    Certificate,
    /// Begins as a key does, and is cut off, altered, or no point of its curve.
    Damaged,
    /// A public key that no image here is checked with.
    Unsupported(OtherKey),
}

/// A kind of public key that is not supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum OtherKey {
    /// ECDSA over NIST P-384.
    P384,
    /// X25519: encrypts images, and signs none.
    X25519,
    /// RSA of so many bits, or RSA in a build that has none.
    Rsa {
        /// Bits of the modulus.
        bits: u16,
    },
    /// Another curve or algorithm.
    Other,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoKey => "no public key",
            Self::PrivateKey => "a private key",
            Self::Certificate => "a certificate",
            Self::Damaged => "a damaged key",
            Self::Unsupported(_) => "a key of an unsupported algorithm",
        })
    }
}

impl core::error::Error for KeyError {}
