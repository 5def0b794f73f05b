//! What a block consists of.

/// Bytes of a block.
pub const LEN: usize = 256;
/// What a block begins with, filled or blank; tools find it by this.
pub const MAGIC: [u8; 8] = *b"BLaceIDT";
/// The most keys that a block holds: one, and one that takes over.
pub const MAX_KEYS: usize = 2;
/// The most bytes of a name.
pub const MAX_NAME: usize = 32;

/// Why a block says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Nobody has filled it.
    Blank,
    /// Its checksum is wrong, or it is of a version that this build does not know.
    Damaged,
    /// It is whole, and holds a key of a kind of which this build checks no signatures.
    KeyKind,
}

pub(crate) const VERSION: u16 = 1;
/// Bytes that the checksum covers.
pub(crate) const COVERED: usize = LEN - 4;

/// Offsets of the fields.
pub(crate) mod at {
    pub(crate) const VERSION: usize = 8;
    pub(crate) const COVERED: usize = 10;
    pub(crate) const ATTEMPTS: usize = 12;
    pub(crate) const FLAGS: usize = 13;
    pub(crate) const DEADLINE: usize = 14;
    pub(crate) const IDLE_RETURN: usize = 16;
    pub(crate) const NAME_LEN: usize = 18;
    pub(crate) const KEY_COUNT: usize = 19;
    pub(crate) const RULES: usize = 20;
    pub(crate) const VENDOR: usize = 24;
    pub(crate) const CLASS: usize = 40;
    pub(crate) const NAME: usize = 56;
    pub(crate) const KEYS: usize = 88;
    pub(crate) const KINDS: usize = 220;
}

/// Bytes of a key: its kind, and those of the longest.
pub(crate) const KEY: usize = 1 + 65;

/// Bits of the flags: those of the rules, and whether there is a vendor and a class. Others are damage: they would be rules
/// that this build does not keep.
pub(crate) mod flag {
    pub(crate) const PERMANENT: u8 = 1 << 0;
    pub(crate) const DEVELOPMENT_KEYS: u8 = 1 << 1;
    pub(crate) const COUNTER_REQUIRED: u8 = 1 << 2;
    pub(crate) const CONFIRM_OVER_WIRE: u8 = 1 << 3;
    pub(crate) const NO_DOWNGRADE: u8 = 1 << 4;
    pub(crate) const VENDOR: u8 = 1 << 5;
    pub(crate) const CLASS: u8 = 1 << 6;
    pub(crate) const KNOWN: u8 = 0x7F;
}

/// The kinds of keys, as the block numbers them.
pub(crate) const P256: u8 = 0;
pub(crate) const ED25519: u8 = 1;

/// Whether a name has no letters but printable ones of ASCII: what every terminal and every USB host shows.
pub(crate) fn is_printable(name: &[u8]) -> bool {
    name.iter().all(|byte| (b' '..=b'~').contains(byte))
}

/// CRC-32 as of IEEE 802.3, bit by bit: a table would take more flash than the block.
pub(crate) fn crc_32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            let mask = (crc & 1).wrapping_neg();
            crc = crc >> 1 ^ 0xEDB8_8320 & mask;
        }
    }
    !crc
}
