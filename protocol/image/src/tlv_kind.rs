//! The types of type-length-value entries.

/// The type of a TLV. Names and numbers are those of imgtool 2.5.0 and MCUboot's `image.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TlvKind(pub u16);

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $value:literal, $text:literal;)*) => {
        impl TlvKind {
            $($(#[$doc])* pub const $name: Self = Self($value);)*

            /// imgtool's name for it, if it has one.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($text),)*
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    /// Hash of the key that the next signature was made with.
    KEYHASH = 0x01, "KEYHASH";
    /// The whole key that the next signature was made with.
    PUBKEY = 0x02, "PUBKEY";
    /// SHA-256 of header, payload and protected TLVs.
    SHA256 = 0x10, "SHA256";
    /// SHA-384 of the same.
    SHA384 = 0x11, "SHA384";
    /// SHA-512 of the same.
    SHA512 = 0x12, "SHA512";
    /// RSA-2048 signature.
    RSA2048 = 0x20, "RSA2048";
    /// ECDSA P-224 signature, no longer made.
    ECDSA224 = 0x21, "ECDSA224";
    /// ECDSA signature; the key tells the curve.
    ECDSA = 0x22, "ECDSASIG";
    /// RSA-3072 signature.
    RSA3072 = 0x23, "RSA3072";
    /// Ed25519 signature.
    ED25519 = 0x24, "ED25519";
    /// The signature is over the image, not over its digest.
    SIG_PURE = 0x25, "SIG_PURE";
    /// Image key, encrypted with RSA.
    ENC_RSA2048 = 0x30, "ENCRSA2048";
    /// Image key, wrapped with AES.
    ENC_KW = 0x31, "ENCKW";
    /// Image key, encrypted to a P-256 key.
    ENC_EC256 = 0x32, "ENCEC256";
    /// Image key, encrypted to an X25519 key.
    ENC_X25519 = 0x33, "ENCX25519";
    /// The same with SHA-512.
    ENC_X25519_SHA512 = 0x34, "ENCX25519_SHA512";
    /// Another image that this one needs.
    DEPENDENCY = 0x40, "DEPENDENCY";
    /// Security counter.
    SEC_CNT = 0x50, "SEC_CNT";
    /// Measured boot record, in CBOR.
    BOOT_RECORD = 0x60, "BOOT_RECORD";
    /// Size after decompression.
    DECOMP_SIZE = 0x70, "DECOMP_SIZE";
    /// Digest after decompression.
    DECOMP_SHA = 0x71, "DECOMP_SHA";
    /// Signature after decompression.
    DECOMP_SIGNATURE = 0x72, "DECOMP_SIGNATURE";
    /// Size of the compressed payload after decompression.
    COMP_DEC_SIZE = 0x73, "COMP_DEC_SIZE";
    /// Vendor UUID.
    UUID_VID = 0x74, "UUID_VID";
    /// Device class UUID.
    UUID_CID = 0x75, "UUID_CID";
}

impl TlvKind {
    /// Whether it may stand outside the digest: what makes the digest and the signature, and what an encrypted image
    /// carries to decrypt it. The list is MCUboot's `allowed_unprot_tlvs`.
    pub const fn may_stand_unprotected(self) -> bool {
        matches!(
            self,
            Self::KEYHASH
                | Self::PUBKEY
                | Self::SHA256
                | Self::SHA384
                | Self::SHA512
                | Self::RSA2048
                | Self::ECDSA224
                | Self::ECDSA
                | Self::RSA3072
                | Self::ED25519
                | Self::SIG_PURE
                | Self::ENC_RSA2048
                | Self::ENC_KW
                | Self::ENC_EC256
                | Self::ENC_X25519
                | Self::ENC_X25519_SHA512
        )
    }

    /// Whether it holds a digest of the image.
    pub const fn is_digest(self) -> bool {
        matches!(self, Self::SHA256 | Self::SHA384 | Self::SHA512)
    }

    /// Whether it holds a signature of the image.
    pub const fn is_signature(self) -> bool {
        matches!(
            self,
            Self::RSA2048 | Self::ECDSA224 | Self::ECDSA | Self::RSA3072 | Self::ED25519
        )
    }

    /// Whether it holds a signature of an algorithm that this build verifies, given the key.
    pub(crate) const fn is_verified(self) -> bool {
        matches!(self, Self::ECDSA | Self::ED25519)
            || cfg!(feature = "rsa") && matches!(self, Self::RSA2048 | Self::RSA3072)
    }
}
