//! The 32 bytes at the start of an image (MCUboot's `struct image_header`).

use core::fmt;

use crate::FormatError;
use crate::error::detail;

/// The fixed part of an image's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Where the image is to be copied or, with [`Flags::ROM_FIXED`], where it is linked to run.
    pub load_addr: u32,
    /// Bytes from the start of the image to the payload; at least [`Header::LEN`].
    pub header_size: u16,
    /// Bytes of the protected TLV area, its own header included; 0 if there is none.
    pub protected_size: u16,
    /// Bytes of the payload.
    pub image_size: u32,
    /// See [`Flags`].
    pub flags: Flags,
    /// The image's version.
    pub version: Version,
}

impl Header {
    /// To be read to.
    pub(crate) fn none() -> Self {
        Self {
            load_addr: 0,
            header_size: 0,
            protected_size: 0,
            image_size: 0,
            flags: Flags(0),
            version: Version {
                major: 0,
                minor: 0,
                revision: 0,
                build: 0,
            },
        }
    }
    /// Bytes of the fixed part.
    pub const LEN: usize = 32;
    /// The first word (`IMAGE_MAGIC`).
    pub const MAGIC: u32 = 0x96f3_b83d;

    /// Reads the fixed part.
    ///
    /// # Errors
    /// [`FormatError::NotAnImage`] for another magic, [`FormatError::HeaderSize`] for a header shorter than itself.
    pub fn parse(bytes: &[u8; Self::LEN]) -> Result<Self, FormatError> {
        let magic = u32_at(bytes, 0);
        if magic != Self::MAGIC {
            return Err(FormatError::NotAnImage {
                magic: detail(|| magic),
            });
        }
        let header = Self {
            load_addr: u32_at(bytes, 4),
            header_size: u16_at(bytes, 8),
            protected_size: u16_at(bytes, 10),
            image_size: u32_at(bytes, 12),
            flags: Flags(u32_at(bytes, 16)),
            version: Version {
                major: bytes[20],
                minor: bytes[21],
                revision: u16_at(bytes, 22),
                build: u32_at(bytes, 24),
            },
        };
        if usize::from(header.header_size) < Self::LEN {
            return Err(FormatError::HeaderSize {
                size: detail(|| header.header_size),
            });
        }
        Ok(header)
    }

    /// Writes the fixed part.
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[0..4].copy_from_slice(&Self::MAGIC.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.load_addr.to_le_bytes());
        bytes[8..10].copy_from_slice(&self.header_size.to_le_bytes());
        bytes[10..12].copy_from_slice(&self.protected_size.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.image_size.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.flags.0.to_le_bytes());
        bytes[20] = self.version.major;
        bytes[21] = self.version.minor;
        bytes[22..24].copy_from_slice(&self.version.revision.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.version.build.to_le_bytes());
        bytes
    }
}

// Constant offsets into a fixed array: the compiler proves them in range.
fn u32_at(bytes: &[u8; Header::LEN], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u16_at(bytes: &[u8; Header::LEN], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

/// The header's flags (MCUboot's `IMAGE_F_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags(pub u32);

impl Flags {
    /// The payload is encrypted with AES-128.
    pub const ENCRYPTED_AES128: Self = Self(0x0004);
    /// The payload is encrypted with AES-256.
    pub const ENCRYPTED_AES256: Self = Self(0x0008);
    /// Not to be booted.
    pub const NON_BOOTABLE: Self = Self(0x0010);
    /// To be copied to `load_addr` in RAM.
    pub const RAM_LOAD: Self = Self(0x0020);
    /// `load_addr` is the address that the image is linked to run at.
    pub const ROM_FIXED: Self = Self(0x0100);
    /// Compressed with LZMA1.
    pub const COMPRESSED_LZMA1: Self = Self(0x0200);
    /// Compressed with LZMA2.
    pub const COMPRESSED_LZMA2: Self = Self(0x0400);
    /// Compressed behind the ARM-Thumb filter.
    pub const COMPRESSED_ARM_THUMB: Self = Self(0x0800);

    /// Whether all bits of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether the payload is encrypted, in either way.
    pub const fn is_encrypted(self) -> bool {
        self.0 & (Self::ENCRYPTED_AES128.0 | Self::ENCRYPTED_AES256.0) != 0
    }

    /// Whether the payload is compressed, in any way.
    pub const fn is_compressed(self) -> bool {
        self.0 & (Self::COMPRESSED_LZMA1.0 | Self::COMPRESSED_LZMA2.0 | Self::COMPRESSED_ARM_THUMB.0) != 0
    }
}

/// An image's version, compared field by field from the left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Version {
    /// First number.
    pub major: u8,
    /// Second number.
    pub minor: u8,
    /// Third number.
    pub revision: u16,
    /// Build number; 0 if there is none.
    pub build: u32,
}

impl Version {
    /// The most bytes that [`Version::write`] writes: `255.255.65535.4294967295`.
    pub const MAX_LEN: usize = 24;

    /// Writes it as SMP does, `major.minor.revision` and, unless it is 0, `.build`, in ASCII, without `core::fmt`: a board
    /// that formats nothing else saves some kilobytes.
    pub fn write(self, buffer: &mut [u8; Self::MAX_LEN]) -> &[u8] {
        let numbers = [
            self.major.into(),
            self.minor.into(),
            self.revision.into(),
            self.build,
        ];
        let shown = if self.build == 0 { 3 } else { 4 };
        let mut at = 0;
        for (index, number) in numbers.into_iter().take(shown).enumerate() {
            if index > 0 {
                put(buffer, &mut at, b'.');
            }
            let mut divisor = 1_000_000_000;
            while divisor > 1 && number < divisor {
                divisor /= 10;
            }
            while divisor > 0 {
                // A digit, so it fits.
                put(buffer, &mut at, b'0' + ((number / divisor) % 10) as u8);
                divisor /= 10;
            }
        }
        buffer.get(..at).unwrap_or_default()
    }

    /// The same as text.
    pub fn text(self, buffer: &mut [u8; Self::MAX_LEN]) -> &str {
        core::str::from_utf8(self.write(buffer)).unwrap_or_default()
    }

    /// Reads `major.minor.revision` with an optional build number after `+` (imgtool) or `.` (SMP).
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '.');
        let major = parts.next()?.parse().ok()?;
        let minor = parts.next()?.parse().ok()?;
        let rest = parts.next()?;
        let (revision, build) = rest.split_once(['+', '.']).unwrap_or((rest, "0"));
        Some(Self {
            major,
            minor,
            revision: revision.parse().ok()?,
            build: build.parse().ok()?,
        })
    }
}

fn put(buffer: &mut [u8], at: &mut usize, byte: u8) {
    if let Some(slot) = buffer.get_mut(*at) {
        *slot = byte;
        *at += 1;
    }
}

impl fmt::Display for Version {
    /// `major.minor.revision+build`, as imgtool writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{}.{}+{}",
            self.major, self.minor, self.revision, self.build
        )
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn header_survives_its_bytes() {
        let header = Header {
            load_addr: 0x0800_8000,
            header_size: 0x200,
            protected_size: 12,
            image_size: 0x0001_2345,
            flags: Flags::ROM_FIXED,
            version: Version {
                major: 1,
                minor: 2,
                revision: 0x0304,
                build: 5,
            },
        };
        assert_eq!(Header::parse(&header.to_bytes()), Ok(header));
    }

    #[test]
    fn short_headers_and_other_files_are_named() {
        let mut bytes = [0; 32];
        assert_eq!(Header::parse(&bytes), Err(FormatError::NotAnImage { magic: 0 }));
        bytes[..4].copy_from_slice(&Header::MAGIC.to_le_bytes());
        bytes[8] = 31;
        assert_eq!(Header::parse(&bytes), Err(FormatError::HeaderSize { size: 31 }));
    }

    #[test]
    fn a_version_is_written_as_text() {
        let version = |text| Version::parse(text).unwrap();
        assert_eq!(
            version("1.2.3+4"),
            Version {
                major: 1,
                minor: 2,
                revision: 3,
                build: 4
            }
        );
        assert_eq!(version("1.2.3.4"), version("1.2.3+4"));
        assert_eq!(version("1.2.3+4").to_string(), "1.2.3+4");
        for text in [
            "0.0.0",
            "10.200.65000",
            "255.255.65535.4294967295",
            "1.0.20.1000000000",
        ] {
            assert_eq!(version(text).text(&mut [0; 24]), text);
        }
        assert!(version("1.10.0") > version("1.9.9+7"));
        for text in ["", "1", "1.2", "1.2.x", "256.0.0", "1.2.3+", "-1.0.0"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }
}
