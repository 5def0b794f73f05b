//! MCUboot images: header, TLVs, signatures and slot trailers.
//!
//! An image is read through [`Source`], at most [`CHUNK`] bytes at a time, so that the same code checks a file in a
//! page and a slot in flash. Nothing here allocates (the `sign` feature apart), formats text or panics on what it
//! reads.
//!
//! ```
//! use bootlace_image::{Image, Policy, PublicKey};
//!
//! fn signer(file: &[u8], pem: &str) -> Option<[u8; 32]> {
//!     let key = PublicKey::from_pem(pem).ok()?;
//!     let mut source = file;
//!     let image = Image::read(&mut source).ok()?;
//!     let verified = image.verify(&mut source, &[key], &Policy::default()).ok()?;
//!     Some(verified.key_hash)
//! }
//! # assert_eq!(signer(b"no image", "no key"), None);
//! ```
//!
//! Verdicts are those of imgtool's `verify`, and stricter where a board has to be: see [`Refusal`].
#![no_std]
#![forbid(unsafe_code)]

#[cfg(feature = "sign")]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod algorithm;
#[cfg(feature = "sign")]
pub mod builder;
#[cfg(feature = "compare")]
pub mod compare;
mod der;
mod devkeys;
mod digest;
mod error;
mod fit;
mod header;
mod image;
mod key;
mod key_form;
#[cfg(feature = "rsa")]
mod rsa;
mod signatures;
#[cfg(any(
    all(feature = "small-p256", not(feature = "p256")),
    all(feature = "small-ed25519", not(feature = "ed25519")),
    feature = "compare",
    test
))]
mod small;
#[cfg(any(
    all(feature = "small-ed25519", not(feature = "ed25519")),
    feature = "compare",
    test
))]
mod small_ed25519;
#[cfg(any(all(feature = "small-p256", not(feature = "p256")), feature = "compare", test))]
#[cfg_attr(
    feature = "compare",
    allow(dead_code, reason = "keys are read by the crate there")
)]
mod small_p256;
mod source;
mod tlv;
mod tlv_kind;
pub mod trailer;
mod vectors;
mod verify;

pub use algorithm::{Algorithm, KeyError, OtherKey};
pub use devkeys::development_key;
pub use digest::{Digest, Digester, Sha256};
pub use error::{Detail, Error, FormatError, Refusal, VerifyError};
pub use fit::{Misfit, Requirements};
pub use header::{Flags, Header, Version};
pub use image::{Image, MAX_TLVS};
pub use key::PublicKey;
#[cfg(feature = "rsa")]
pub use rsa::RsaKey;
pub use signatures::{Signature, Signatures, Signer};
pub use source::{CHUNK, OutOfRange, Source};
pub use tlv::{Tlv, Tlvs};
pub use tlv_kind::TlvKind;
pub use vectors::{TABLE_ALIGNMENT, Unstartable};
pub use verify::{Policy, Verification, Verified};
