//! Numbers of 256 bits, as eight words, lowest first, and formulas over them: what the small verifiers share.

pub(crate) type Words = [u32; 8];

pub(crate) const ZERO: Words = [0; 8];
pub(crate) const ONE: Words = [1, 0, 0, 0, 0, 0, 0, 0];

/// A modulus below 2^256, and what Montgomery's multiplication needs of it.
pub(crate) struct Modulus {
    pub(crate) words: Words,
    /// -1 / modulus, modulo 2^32.
    pub(crate) inverse: u32,
    /// 2^512 modulo the modulus.
    pub(crate) square: Words,
}

pub(crate) fn is_set(number: &Words, bit: usize) -> bool {
    number
        .get(bit / 32)
        .is_some_and(|word| word >> (bit % 32) & 1 != 0)
}

/// Adds `b`; says whether there is a 257th bit.
pub(crate) fn add(a: &mut Words, b: &Words) -> bool {
    sum_up(a, b, 0)
}

/// Subtracts `b`, modulo 2^256; says whether the difference is negative.
pub(crate) fn subtract(a: &mut Words, b: &Words) -> bool {
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
    pub(crate) fn has(&self, number: &Words) -> bool {
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

    pub(crate) fn add(&self, a: &mut Words, b: &Words) {
        let carry = add(a, b);
        self.reduce(a, carry);
    }

    pub(crate) fn subtract(&self, a: &mut Words, b: &Words) {
        if subtract(a, b) {
            add(a, &self.words);
        }
    }

    /// Montgomery's product: `a * b / 2^256`. One of them may be as large as 2^256, the other is below the modulus.
    #[inline(never)]
    pub(crate) fn multiply(&self, a: &mut Words, b: &Words) {
        let (mut sum, mut top) = (ZERO, 0);
        for b in b {
            let carry = add_product(&mut sum, a, *b);
            let high = u64::from(top) + u64::from(carry);
            // What makes the lowest word 0 when so many times the modulus are added.
            let [lowest, ..] = sum;
            let factor = lowest.wrapping_mul(self.inverse);
            let high = if cfg!(any(test, feature = "compare", feature = "small-p256")) && self.inverse == 1 {
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
    pub(crate) fn enter(&self, number: &mut Words) {
        self.multiply(number, &self.square);
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

/// What formulas work on, each known by its number.
pub(crate) struct Values([Words; 9]);

impl Values {
    pub(crate) const ZERO: Self = Values([ZERO; 9]);

    pub(crate) fn set(&mut self, first: usize, values: &[Words]) {
        for (place, value) in self.0.iter_mut().skip(first).zip(values) {
            *place = *value;
        }
    }

    pub(crate) fn at(&self, number: u16) -> &Words {
        self.0.get(usize::from(number)).unwrap_or(&ZERO)
    }

    /// The first of them.
    pub(crate) fn first<const N: usize>(&self) -> &[Words; N] {
        const { assert!(N <= 9) };
        // There are as many: the other is never seen.
        self.0.first_chunk().unwrap_or(&[ZERO; N])
    }

    /// Does what a formula says, modulo that of `field`. Formulas are data: as calls they would take three times the flash.
    #[inline(never)]
    pub(crate) fn run(&mut self, field: &Modulus, formula: &[u16]) {
        for step in formula {
            let (mut value, right) = (*self.at(step >> 4 & 15), self.at(step & 15));
            match step >> 12 {
                MUL => field.multiply(&mut value, right),
                SUB => field.subtract(&mut value, right),
                _ => field.add(&mut value, right),
            }
            if let Some(place) = self.0.get_mut(usize::from(step >> 8 & 15)) {
                *place = value;
            }
        }
    }
}

const MUL: u16 = 0;
const SUB: u16 = 1;
const SUM: u16 = 2;

/// `to = left * right`
pub(crate) const fn mul(to: u16, left: u16, right: u16) -> u16 {
    MUL << 12 | to << 8 | left << 4 | right
}

/// `to = left - right`
pub(crate) const fn sub(to: u16, left: u16, right: u16) -> u16 {
    SUB << 12 | to << 8 | left << 4 | right
}

/// `to = left + right`
pub(crate) const fn sum(to: u16, left: u16, right: u16) -> u16 {
    SUM << 12 | to << 8 | left << 4 | right
}
