//! Which kinds of keys a bootloader's code can check signatures of: a mark in its block, for tools that fill the block.

use bootlace_image::{Algorithm, PublicKey};

use crate::block::{LEN, MAGIC, at};

/// The kinds of keys of which a bootloader checks signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyKinds(u8);

impl KeyKinds {
    /// Nobody said: a bootloader from before there was a mark.
    pub const UNMARKED: Self = KeyKinds(0);
    /// ECDSA P-256.
    pub const P256: Self = KeyKinds(1 << 0);
    /// Ed25519.
    pub const ED25519: Self = KeyKinds(1 << 1);

    /// These and those.
    #[must_use]
    pub const fn and(self, others: Self) -> Self {
        KeyKinds(self.0 | others.0)
    }

    /// As a block marks them, filled or blank.
    pub fn of(block: &[u8; LEN]) -> Self {
        const ERASED: u8 = 0xFF;
        match block.get(at::KINDS) {
            Some(&mark) if mark != ERASED => KeyKinds(mark),
            _ => Self::UNMARKED,
        }
    }

    pub(crate) const fn mark(self) -> u8 {
        self.0
    }

    /// Whether signatures by this key may be checked: of a bootloader without a mark, nobody knows better.
    pub fn include(self, key: &PublicKey) -> bool {
        let kind = match key.algorithm() {
            Algorithm::P256 => Self::P256,
            Algorithm::Ed25519 => Self::ED25519,
            _ => return false,
        };
        self == Self::UNMARKED || self.0 & kind.0 != 0
    }
}

/// A blank block of a bootloader that checks signatures by keys of these kinds.
pub const fn blank(kinds: KeyKinds) -> [u8; LEN] {
    let (mut block, mut at) = ([0xFF; LEN], 0);
    while at < MAGIC.len() {
        block[at] = MAGIC[at];
        at += 1;
    }
    if kinds.mark() != 0 {
        block[at::KINDS] = kinds.mark();
    }
    block
}
