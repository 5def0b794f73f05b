//! P-256's own numbers: the field's p and the group's n.

use crate::small::{Modulus, ONE, Words, ZERO, is_set, subtract};

/// Of the coordinates (SP 800-186, 3.2.1.3: p).
pub(super) const FIELD: Modulus = Modulus {
    words: [0xFFFF_FFFF, 0xFFFF_FFFF, 0xFFFF_FFFF, 0, 0, 0, 1, 0xFFFF_FFFF],
    inverse: 1,
    square: [
        3,
        0,
        0xFFFF_FFFF,
        0xFFFF_FFFB,
        0xFFFF_FFFE,
        0xFFFF_FFFF,
        0xFFFF_FFFD,
        4,
    ],
};

/// Of the factors: how many points there are (n).
pub(super) const ORDER: Modulus = Modulus {
    words: [
        0xFC63_2551,
        0xF3B9_CAC2,
        0xA717_9E84,
        0xBCE6_FAAD,
        0xFFFF_FFFF,
        0xFFFF_FFFF,
        0,
        0xFFFF_FFFF,
    ],
    inverse: 0xEE00_BC4F,
    square: [
        0xBE79_EEA2,
        0x8324_4C95,
        0x49BD_6FA6,
        0x4699_799C,
        0x2B6B_EC59,
        0x2845_B239,
        0xF3D9_5620,
        0x66E1_2D94,
    ],
};

/// A number from its 32 bytes, highest first.
pub(super) fn words(bytes: &[u8; 32]) -> Words {
    let mut words = ZERO;
    for (word, bytes) in words.iter_mut().rev().zip(bytes.as_chunks().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    words
}

/// The computation of 1 / number modulo n, times 2^256, in pieces: the number to the power of n - 2 (Fermat), from the
/// exponent's highest bit down.
#[derive(Clone, Debug)]
pub(super) struct Inversion {
    number: Words,
    power: Words,
    /// Bits of the exponent that remain.
    bits: u16,
}

impl Inversion {
    pub(super) fn of(number: &Words) -> Self {
        let (mut number, mut power) = (*number, ONE);
        ORDER.enter(&mut number);
        ORDER.enter(&mut power);
        Inversion {
            number,
            power,
            bits: 256,
        }
    }

    /// Takes the next `count` bits of the exponent; returns the inverse after the last one.
    pub(super) fn step(&mut self, count: u16) -> Option<&Words> {
        let mut exponent = ORDER.words;
        subtract(&mut exponent, &[2, 0, 0, 0, 0, 0, 0, 0]);
        let end = self.bits.saturating_sub(count);
        while self.bits > end {
            self.bits -= 1;
            let base = self.power;
            ORDER.multiply(&mut self.power, &base);
            if is_set(&exponent, self.bits.into()) {
                ORDER.multiply(&mut self.power, &self.number);
            }
        }
        (end == 0).then_some(&self.power)
    }
}
