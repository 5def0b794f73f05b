//! The type-length-value entries behind an image's payload.

use crate::{Error, FormatError, Source};

/// Magic of the unprotected area (`IMAGE_TLV_INFO_MAGIC`).
pub(crate) const AREA_MAGIC: u16 = 0x6907;
/// Magic of the protected area (`IMAGE_TLV_PROT_INFO_MAGIC`).
pub(crate) const PROTECTED_MAGIC: u16 = 0x6908;
/// Bytes of an area's header, and of an entry's.
pub(crate) const HEAD: u32 = 4;

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
}

/// One entry: where its value lies, not the value itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tlv {
    /// Its type.
    pub kind: TlvKind,
    /// Where its value starts, in bytes from the start of the image.
    pub offset: u32,
    /// Bytes of the value.
    pub len: u16,
    /// Whether the digest covers it.
    pub protected: bool,
}

/// The entries of an image in their order, protected ones first; ends after the first error.
#[derive(Debug)]
pub struct Tlvs<'s, S> {
    source: &'s mut S,
    position: Position,
}

/// Progress through the two areas, apart from the source so that its owner may read values on the way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position {
    at: u32,
    end: u32,
    protected: bool,
    /// The unprotected area, if the protected one comes first.
    next: Option<(u32, u32)>,
}

impl Position {
    /// Areas are (offset of the first entry, end), already checked against the source.
    pub(crate) fn new(protected: Option<(u32, u32)>, unprotected: (u32, u32)) -> Self {
        match protected {
            Some((at, end)) => Self {
                at,
                end,
                protected: true,
                next: Some(unprotected),
            },
            None => Self {
                at: unprotected.0,
                end: unprotected.1,
                protected: false,
                next: None,
            },
        }
    }

    /// Reads the next entry to `tlv`; false at the end.
    #[inline(never)]
    pub(crate) fn step<S: Source>(&mut self, source: &mut S, tlv: &mut Tlv) -> Result<bool, Error<S::Error>> {
        while self.at >= self.end {
            let Some((at, end)) = self.next.take() else {
                return Ok(false);
            };
            (self.at, self.end, self.protected) = (at, end, false);
        }
        let overrun = FormatError::TlvOverrun { offset: self.at };
        let room = self.end - self.at;
        if room < HEAD {
            return Err(overrun.into());
        }
        let mut head = [0; HEAD as usize];
        source.read(self.at, &mut head).map_err(Error::Source)?;
        let [k0, k1, l0, l1] = head;
        tlv.kind = TlvKind(u16::from_le_bytes([k0, k1]));
        tlv.len = u16::from_le_bytes([l0, l1]);
        tlv.offset = self.at + HEAD;
        tlv.protected = self.protected;
        if u32::from(tlv.len) > room - HEAD {
            return Err(overrun.into());
        }
        self.at = tlv.offset + u32::from(tlv.len);
        Ok(true)
    }
}

impl Tlv {
    /// To be read to.
    pub(crate) const NONE: Self = Self {
        kind: TlvKind(0),
        offset: 0,
        len: 0,
        protected: false,
    };
}

impl<'s, S: Source> Tlvs<'s, S> {
    pub(crate) fn new(source: &'s mut S, position: Position) -> Self {
        Self { source, position }
    }
}

impl<S: Source> Iterator for Tlvs<'_, S> {
    type Item = Result<Tlv, Error<S::Error>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut tlv = Tlv::NONE;
        match self.position.step(self.source, &mut tlv) {
            Ok(true) => Some(Ok(tlv)),
            Ok(false) => None,
            Err(error) => {
                self.position = Position::new(None, (0, 0));
                Some(Err(error))
            }
        }
    }
}
