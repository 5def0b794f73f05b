//! The first bytes of CBOR's items, by RFC 8949: a major type in the upper three bits, and five bits of information.

pub(super) const UNSIGNED: u8 = 0;
pub(super) const NEGATIVE: u8 = 1;
pub(super) const BYTES: u8 = 2;
pub(super) const TEXT: u8 = 3;
pub(super) const ARRAY: u8 = 4;
pub(super) const MAP: u8 = 5;
pub(super) const TAG: u8 = 6;

/// The information of an item of indefinite length.
pub(super) const INDEFINITE: u8 = 31;

// Whole first bytes.
pub(super) const FALSE: u8 = 0xF4;
pub(super) const TRUE: u8 = 0xF5;
pub(super) const NULL: u8 = 0xF6;
pub(super) const BREAK: u8 = 0xFF;
