//! What can be wrong with an image. Names and facts only: sentences for people are written where people are.

use crate::TlvKind;

/// What an error says beside its name: a number, a type, a hash. Without feature `details` nothing: a board tells nobody why an image
/// is none, and an error that fits a register takes less of its flash wherever it is handed on.
#[cfg(feature = "details")]
pub type Detail<T> = T;
/// The same without feature `details`.
#[cfg(not(feature = "details"))]
pub type Detail<T> = core::marker::PhantomData<T>;

/// What an error says; found out only where it is told.
#[cfg(feature = "details")]
pub(crate) fn detail<T>(what: impl FnOnce() -> T) -> Detail<T> {
    what()
}

/// The same without feature `details`.
#[cfg(not(feature = "details"))]
pub(crate) fn detail<T>(_: impl FnOnce() -> T) -> Detail<T> {
    core::marker::PhantomData
}

/// Why an image could not be read or was refused. `E` is the [`Source`](crate::Source)'s own error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error<E> {
    /// The medium could not be read.
    Source(E),
    /// The bytes are not a whole, well-formed image.
    Format(FormatError),
    /// A well-formed image that must not be trusted or cannot be run.
    Refused(Refusal),
}

/// What [`Image::verify`](crate::Image::verify) returns.
pub type VerifyError<E> = Error<E>;

/// Why bytes are not an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum FormatError {
    /// The first four bytes are not MCUboot's magic; shorter input counts as magic 0.
    NotAnImage {
        /// The little-endian word found.
        magic: Detail<u32>,
    },
    /// The file ends before the image does.
    Truncated {
        /// Bytes that the image claims, as far as it could be read.
        needed: Detail<u64>,
        /// Bytes that there are.
        available: Detail<u32>,
    },
    /// The header claims to be shorter than itself.
    HeaderSize {
        /// Its claim, in bytes.
        size: Detail<u16>,
    },
    /// The header and the protected TLV area disagree about that area's size.
    ProtectedSize {
        /// Bytes according to the header.
        header: Detail<u16>,
        /// Bytes according to the area; 0 if there is none.
        area: Detail<u16>,
    },
    /// No TLV area where the header says that one starts.
    TlvMagic {
        /// The little-endian word found there.
        found: Detail<u16>,
    },
    /// A TLV reaches past the end of its area.
    TlvOverrun {
        /// Where it starts, in bytes from the start of the image.
        offset: Detail<u32>,
    },
    /// A TLV whose value has the wrong length for its type.
    TlvLength {
        /// Its type.
        kind: Detail<TlvKind>,
        /// The length found, in bytes.
        len: Detail<u16>,
    },
    /// More TLVs than any image needs: reading them all would keep a small board busy for long.
    TooManyTlvs {
        /// The most that are read.
        most: Detail<u16>,
    },
    /// A TLV that may stand once stands twice.
    DuplicateTlv {
        /// Its type.
        kind: Detail<TlvKind>,
    },
}

/// Why a well-formed image is refused.
///
/// imgtool's `verify` refuses `NoDigest` (given a key), `Altered`, `Unsigned` and `BadSignature` too; the others are
/// rules of a bootloader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Refusal {
    /// No digest TLV.
    NoDigest,
    /// The digest computed is not the one the image carries: it was altered, or damaged on its way.
    Altered,
    /// No signature at all.
    Unsigned,
    /// Signed, but by none of the trusted keys.
    UnknownSigner {
        /// Whose it is: SHA-256 of the key, where the image says so.
        key_hash: Detail<Option<[u8; 32]>>,
    },
    /// A trusted key is named, but the signature is not that key's.
    BadSignature {
        /// The key named: SHA-256 of its `SubjectPublicKeyInfo`.
        key_hash: Detail<[u8; 32]>,
    },
    /// Two signatures name the same trusted key. One is enough, and each takes a small board a second to check, at every
    /// start: an image with many would stop the board.
    RepeatedSigner {
        /// The key named: SHA-256 of its `SubjectPublicKeyInfo`.
        key_hash: Detail<[u8; 32]>,
    },
    /// Signed with a key whose private half is published: see [`development_key`](crate::development_key).
    DevelopmentKey {
        /// Its SHA-256.
        key_hash: Detail<[u8; 32]>,
    },
    /// A TLV stands unprotected by the digest that only counts when protected (CVE-2024-32883).
    UnprotectedTlv {
        /// Its type.
        kind: Detail<TlvKind>,
    },
    /// The payload is encrypted.
    Encrypted,
    /// The payload is compressed.
    Compressed,
    /// The image is marked as not to be booted.
    NonBootable,
    /// The image wants to be copied to RAM.
    RamLoad,
    /// A digest that this build does not compute.
    UnsupportedDigest {
        /// The TLV that holds it.
        kind: Detail<TlvKind>,
    },
    /// Signed by a trusted key in a way that this build does not verify.
    UnsupportedSignature {
        /// The signature's TLV.
        kind: Detail<TlvKind>,
    },
}

impl<E> From<FormatError> for Error<E> {
    fn from(error: FormatError) -> Self {
        Self::Format(error)
    }
}

impl<E> From<Refusal> for Error<E> {
    fn from(error: Refusal) -> Self {
        Self::Refused(error)
    }
}
