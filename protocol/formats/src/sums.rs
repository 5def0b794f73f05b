//! Sums that bootloaders and production lines look for in a chip's memory.

use crc::{CRC_32_ISO_HDLC, CRC_32_MPEG_2, Crc, Table};

/// A sum of 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sum {
    /// CRC-32 of Ethernet, zip and PNG (CRC-32/ISO-HDLC).
    Crc32,
    /// CRC-32/MPEG-2, byte by byte.
    Mpeg2,
    /// What the CRC unit of an STM32 gives in its reset state: CRC-32/MPEG-2 over words as the processor reads them, each from its
    /// highest byte on (RM0090, chapter "CRC calculation unit"). The length is a multiple of 4.
    Stm32,
}

impl Sum {
    /// All of them.
    pub const ALL: [Sum; 3] = [Sum::Crc32, Sum::Mpeg2, Sum::Stm32];

    /// Its name for arguments.
    pub const fn name(self) -> &'static str {
        match self {
            Sum::Crc32 => "crc32",
            Sum::Mpeg2 => "mpeg2",
            Sum::Stm32 => "stm32",
        }
    }

    /// The sum of bytes; `None` where they are no whole words and have to be.
    pub fn of(self, bytes: &[u8]) -> Option<u32> {
        const ISO_HDLC: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISO_HDLC);
        const MPEG_2: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_MPEG_2);
        match self {
            Sum::Crc32 => Some(ISO_HDLC.checksum(bytes)),
            Sum::Mpeg2 => Some(MPEG_2.checksum(bytes)),
            Sum::Stm32 => {
                let (words, []) = bytes.as_chunks::<4>() else {
                    return None;
                };
                let mut digest = MPEG_2.digest();
                for [a, b, c, d] in words {
                    digest.update(&[*d, *c, *b, *a]);
                }
                Some(digest.finalize())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_the_catalogue() {
        // The check values of the catalogue of parametrised CRC algorithms.
        assert_eq!(Sum::Crc32.of(b"123456789"), Some(0xCBF4_3926));
        assert_eq!(Sum::Mpeg2.of(b"123456789"), Some(0x0376_E6E7));
        assert_eq!(Sum::Stm32.of(b"123456789"), None);
        assert_eq!(Sum::Stm32.of(b"12345678"), Sum::Mpeg2.of(b"43218765"));
        // RM0090's unit starts with all ones, and shifts a word of zeros through.
        assert_eq!(Sum::Stm32.of(&[0; 4]), Some(0xC704_DD7B));
    }
}
