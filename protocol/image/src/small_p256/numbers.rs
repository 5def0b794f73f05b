//! Numbers of 256 bits, as eight words, lowest first, modulo the field's p and the group's n.

pub(super) type Words = [u32; 8];

pub(super) const ZERO: Words = [0; 8];
pub(super) const ONE: Words = [1, 0, 0, 0, 0, 0, 0, 0];

/// A modulus between 2^255 and 2^256, and what Montgomery's multiplication needs of it.
pub(super) struct Modulus {
    pub(super) words: Words,
    /// -1 / modulus, modulo 2^32.
    inverse: u32,
    /// 2^512 modulo the modulus.
    pub(super) square: Words,
}

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

pub(super) fn is_set(number: &Words, bit: usize) -> bool {
    number
        .get(bit / 32)
        .is_some_and(|word| word >> (bit % 32) & 1 != 0)
}

/// Adds `b`; says whether there is a 257th bit.
pub(super) fn add(a: &mut Words, b: &Words) -> bool {
    sum_up(a, b, 0)
}

/// Subtracts `b`, modulo 2^256; says whether the difference is negative.
pub(super) fn subtract(a: &mut Words, b: &Words) -> bool {
    // The complement and one.
    !sum_up(a, b, u32::MAX)
}

/// Adds `b`, or its complement and one where `flip` is all ones.
#[inline(never)]
fn sum_up(a: &mut Words, b: &Words, flip: u32) -> bool {
    let mut carry = u64::from(flip & 1);
    for (a, b) in a.iter_mut().zip(b) {
        let wide = u64::from(*a) + u64::from(*b ^ flip) + carry;
        (*a, carry) = (wide as u32, wide >> 32);
    }
    carry != 0
}

/// Adds `words` times `factor`; gives what belongs above.
#[inline(never)]
fn add_product(sum: &mut Words, words: &Words, factor: u32) -> u32 {
    let mut carry = 0;
    for (sum, word) in sum.iter_mut().zip(words) {
        let wide = product(*word, factor) + u64::from(*sum) + u64::from(carry);
        (*sum, carry) = (wide as u32, (wide >> 32) as u32);
    }
    carry
}

impl Modulus {
    /// It is below the modulus.
    pub(super) fn has(&self, number: &Words) -> bool {
        let mut difference = *number;
        subtract(&mut difference, &self.words)
    }

    /// A number below twice the modulus, `carry` its 257th bit, modulo it.
    #[inline(never)]
    fn reduce(&self, number: &mut Words, carry: bool) {
        if carry || !self.has(number) {
            subtract(number, &self.words);
        }
    }

    pub(super) fn add(&self, a: &mut Words, b: &Words) {
        let carry = add(a, b);
        self.reduce(a, carry);
    }

    pub(super) fn subtract(&self, a: &mut Words, b: &Words) {
        if subtract(a, b) {
            add(a, &self.words);
        }
    }

    /// Montgomery's product: `a * b / 2^256`. One of them may be as large as 2^256, the other is below the modulus.
    #[inline(never)]
    pub(super) fn multiply(&self, a: &mut Words, b: &Words) {
        let (mut sum, mut top) = (ZERO, 0);
        for b in b {
            let carry = add_product(&mut sum, a, *b);
            let high = u64::from(top) + u64::from(carry);
            // What makes the lowest word 0 when so many times the modulus are added.
            let [lowest, ..] = sum;
            let factor = lowest.wrapping_mul(self.inverse);
            let high = if self.inverse == 1 {
                add_field(&mut sum, factor, high)
            } else {
                high + u64::from(add_product(&mut sum, &self.words, factor))
            };
            // Divided by 2^32: every word moves down by one.
            let mut above = high as u32;
            for word in sum.iter_mut().rev() {
                core::mem::swap(word, &mut above);
            }
            top = (high >> 32) as u32;
        }
        *a = sum;
        self.reduce(a, top != 0);
    }

    /// The number times 2^256: how products want it.
    pub(super) fn enter(&self, number: &mut Words) {
        self.multiply(number, &self.square);
    }
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

/// Adds `factor`, which is the lowest word, times p: that is 2^256 - 2^224 + 2^192 + 2^96 - 1. Gives what belongs above
/// the words, where `high` was. The lowest word would become 0 without a carry, and is left: it is not needed any more.
fn add_field(sum: &mut Words, factor: u32, high: u64) -> u64 {
    let factor = i64::from(factor);
    let mut carry = 0;
    for (word, part) in sum.iter_mut().skip(3).zip([factor, 0, 0, factor, -factor]) {
        let wide = i64::from(*word) + part + carry;
        (*word, carry) = (wide as u32, wide >> 32);
    }
    high.wrapping_add((factor + carry) as u64)
}

/// The product of two words. An Armv6-M multiplies 32 by 32 bits to 32 bits only: what the compiler calls for the other half
/// takes twice as long as four products of half words. An Armv7-M does it in one instruction.
#[inline(always)]
fn product(a: u32, b: u32) -> u64 {
    // Of Arm's, those without atomic exchanges are the small ones.
    if cfg!(not(target_arch = "arm")) || cfg!(target_has_atomic = "32") {
        return u64::from(a) * u64::from(b);
    }
    let (a0, a1, b0, b1) = (a & 0xFFFF, a >> 16, b & 0xFFFF, b >> 16);
    let (low, high) = (a0.wrapping_mul(b0), a1.wrapping_mul(b1));
    // No sum overflows: (2^16 - 1)^2 + 2 (2^16 - 1) is 2^32 - 1.
    let middle = a0.wrapping_mul(b1).wrapping_add(low >> 16);
    let other = a1.wrapping_mul(b0).wrapping_add(middle & 0xFFFF);
    let high = high.wrapping_add(middle >> 16).wrapping_add(other >> 16);
    u64::from(high) << 32 | u64::from(other << 16 | low & 0xFFFF)
}
