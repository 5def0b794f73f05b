//! ECDSA over NIST P-256, checking only, in the little flash of a small chip.
//!
//! The `p256` crate needs 19 KB of a Cortex-M0's flash and 6 KB of its stack; this needs a seventh of the one and a
//! third of the other. It handles nothing secret (key, digest and signature are all public), so it may branch on what
//! it sees; it must only be right, and tests compare it with the crate and with Project Wycheproof's vectors. Numbers
//! are eight words, lowest first; points have Jacobian coordinates.

type Words = [u32; 8];

const ZERO: Words = [0; 8];
const ONE: Words = [1, 0, 0, 0, 0, 0, 0, 0];

/// A modulus between 2^255 and 2^256, and what Montgomery's multiplication needs of it.
struct Modulus {
    words: Words,
    /// -1 / modulus, modulo 2^32.
    inverse: u32,
    /// 2^512 modulo the modulus.
    square: Words,
}

/// Of the coordinates (SP 800-186, 3.2.1.3: p).
const FIELD: Modulus = Modulus {
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
const ORDER: Modulus = Modulus {
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

/// The curve's b, times 2^256 as products want it.
const B: Words = [
    0x29C4_BDDF,
    0xD89C_DF62,
    0x7884_3090,
    0xACF0_05CD,
    0xF721_2ED6,
    0xE5A2_20AB,
    0x0487_4834,
    0xDC30_061D,
];
/// The base point.
const G: [Words; 2] = [
    [
        0xD898_C296,
        0xF4A1_3945,
        0x2DEB_33A0,
        0x7703_7D81,
        0x63A4_40F2,
        0xF8BC_E6E5,
        0xE12C_4247,
        0x6B17_D1F2,
    ],
    [
        0x37BF_51F5,
        0xCBB6_4068,
        0x6B31_5ECE,
        0x2BCE_3357,
        0x7C0F_9E16,
        0x8EE7_EB4A,
        0xFE1A_7F9B,
        0x4FE3_42E2,
    ],
];

/// Whether `signature` (r, then s) is of `digest` by the key at `point` (04, x, y).
pub(crate) fn verify(point: &[u8; 65], digest: &[u8; 32], signature: &[u8; 64]) -> Option<()> {
    let [4, coordinates @ ..] = point else { return None };
    let (x, y) = halves(coordinates);
    let (r, s) = halves(signature);
    let in_range = |number: &Words, modulus| *number != ZERO && is_less(number, modulus);
    (in_range(&r, &ORDER.words) && in_range(&s, &ORDER.words)).then_some(())?;
    let key = Point::on_curve(&x, &y)?;
    let base = Point::on_curve(&G[0], &G[1])?;

    // Factors without Montgomery's 2^256: one product with an inverse that has it takes it off again.
    let inverse = ORDER.invert(&ORDER.enter(&s));
    let of_base = ORDER.multiply(&words(digest), &inverse);
    let of_key = ORDER.multiply(&r, &inverse);

    let table = [base.add(&key), base, key];
    let [both, base, key] = &table;
    let mut sum = Point::INFINITY;
    for bit in (0..256).rev() {
        sum = sum.double();
        match (is_set(&of_base, bit), is_set(&of_key, bit)) {
            (true, true) => sum = sum.add(both),
            (true, false) => sum = sum.add(base),
            (false, true) => sum = sum.add(key),
            (false, false) => {}
        }
    }
    (sum.z != ZERO).then_some(())?;
    // The sum's x = X / Z^2 must be r modulo n. As n < p, that is r or, for a few, r + n.
    let square = FIELD.multiply(&sum.z, &sum.z);
    let is_x = |r: &Words| FIELD.multiply(&FIELD.enter(r), &square) == sum.x;
    let (second, carry) = add(&r, &ORDER.words);
    (is_x(&r) || (!carry && is_less(&second, &FIELD.words) && is_x(&second))).then_some(())
}

fn halves(bytes: &[u8; 64]) -> (Words, Words) {
    let (first, second) = bytes.split_at(32);
    let read = |half: &[u8]| half.first_chunk().map_or(ZERO, words);
    (read(first), read(second))
}

/// A number from its 32 bytes, highest first.
fn words(bytes: &[u8; 32]) -> Words {
    let mut words = ZERO;
    for (word, bytes) in words.iter_mut().rev().zip(bytes.as_chunks().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    words
}

fn is_set(number: &Words, bit: usize) -> bool {
    number
        .get(bit / 32)
        .is_some_and(|word| word >> (bit % 32) & 1 != 0)
}

/// Sum, and whether it has a 257th bit.
fn add(a: &Words, b: &Words) -> (Words, bool) {
    let (mut sum, mut carry) = (*a, 0);
    for (a, b) in sum.iter_mut().zip(b) {
        let wide = u64::from(*a) + u64::from(*b) + carry;
        (*a, carry) = (wide as u32, wide >> 32);
    }
    (sum, carry != 0)
}

/// Difference modulo 2^256, and whether it is negative.
fn subtract(a: &Words, b: &Words) -> (Words, bool) {
    let (mut difference, mut borrow) = (*a, false);
    for (a, b) in difference.iter_mut().zip(b) {
        let (first, one) = a.overflowing_sub(*b);
        let (second, two) = first.overflowing_sub(u32::from(borrow));
        (*a, borrow) = (second, one | two);
    }
    (difference, borrow)
}

fn is_less(a: &Words, b: &Words) -> bool {
    subtract(a, b).1
}

impl Modulus {
    /// A number below twice the modulus, `carry` its 257th bit, modulo it.
    fn reduce(&self, number: &Words, carry: bool) -> Words {
        let (difference, negative) = subtract(number, &self.words);
        if carry || !negative { difference } else { *number }
    }

    fn add(&self, a: &Words, b: &Words) -> Words {
        let (sum, carry) = add(a, b);
        self.reduce(&sum, carry)
    }

    fn subtract(&self, a: &Words, b: &Words) -> Words {
        let (difference, negative) = subtract(a, b);
        if negative {
            add(&difference, &self.words).0
        } else {
            difference
        }
    }

    /// Montgomery's product: `a * b / 2^256`. One of them may be as large as 2^256, the other is below the modulus.
    fn multiply(&self, a: &Words, b: &Words) -> Words {
        let (mut sum, mut top) = (ZERO, 0);
        for b in b {
            let mut carry = 0;
            for (word, a) in sum.iter_mut().zip(a) {
                let wide = product(*a, *b) + u64::from(*word) + u64::from(carry);
                (*word, carry) = (wide as u32, (wide >> 32) as u32);
            }
            let high = u64::from(top) + u64::from(carry);
            // What makes the lowest word 0 when so many times the modulus are added.
            let [lowest, ..] = sum;
            let factor = lowest.wrapping_mul(self.inverse);
            let high = if self.inverse == 1 {
                add_field(&mut sum, factor, high)
            } else {
                let mut carry = 0;
                for (word, modulus) in sum.iter_mut().zip(&self.words) {
                    let wide = product(*modulus, factor) + u64::from(*word) + u64::from(carry);
                    (*word, carry) = (wide as u32, (wide >> 32) as u32);
                }
                high + u64::from(carry)
            };
            // Divided by 2^32: every word moves down by one.
            let mut above = high as u32;
            for word in sum.iter_mut().rev() {
                core::mem::swap(word, &mut above);
            }
            top = (high >> 32) as u32;
        }
        self.reduce(&sum, top != 0)
    }

    /// The number times 2^256: how products want it.
    fn enter(&self, number: &Words) -> Words {
        self.multiply(number, &self.square)
    }

    /// 1 / number, both times 2^256: the number to the power of modulus - 2 (Fermat).
    fn invert(&self, number: &Words) -> Words {
        let (exponent, _) = subtract(&self.words, &[2, 0, 0, 0, 0, 0, 0, 0]);
        let mut power = self.enter(&ONE);
        for bit in (0..256).rev() {
            power = self.multiply(&power, &power);
            if is_set(&exponent, bit) {
                power = self.multiply(&power, number);
            }
        }
        power
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

/// The product of two words. A small chip multiplies 32 by 32 bits to 32 bits only: what the compiler calls for the
/// other half takes twice as long as four products of half words.
#[inline(always)]
fn product(a: u32, b: u32) -> u64 {
    if !cfg!(target_arch = "arm") {
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

/// A point X / Z^2, Y / Z^3, all times 2^256; the one at infinity has Z = 0.
#[derive(Clone)]
struct Point {
    x: Words,
    y: Words,
    z: Words,
}

/// 1, times 2^256.
const UNIT: Words = [1, 0, 0, u32::MAX, u32::MAX, u32::MAX, 0xFFFF_FFFE, 0];

fn mul(a: &Words, b: &Words) -> Words {
    FIELD.multiply(a, b)
}

fn sub(a: &Words, b: &Words) -> Words {
    FIELD.subtract(a, b)
}

fn twice(a: &Words) -> Words {
    FIELD.add(a, a)
}

impl Point {
    const INFINITY: Point = Point {
        x: UNIT,
        y: UNIT,
        z: ZERO,
    };

    /// The point at these coordinates, if it is one of the curve's.
    fn on_curve(x: &Words, y: &Words) -> Option<Self> {
        (is_less(x, &FIELD.words) && is_less(y, &FIELD.words)).then_some(())?;
        let (x, y) = (FIELD.enter(x), FIELD.enter(y));
        // y^2 = (x^2 - 3) x + b
        let slope = sub(&mul(&x, &x), &FIELD.add(&UNIT, &twice(&UNIT)));
        let right = FIELD.add(&mul(&slope, &x), &B);
        (mul(&y, &y) == right).then_some(Point { x, y, z: UNIT })
    }

    /// Twice the point (Explicit-Formulas Database, dbl-2001-b); infinity stays what it is.
    #[inline(never)]
    fn double(&self) -> Self {
        let delta = mul(&self.z, &self.z);
        let gamma = mul(&self.y, &self.y);
        let beta = twice(&twice(&mul(&self.x, &gamma)));
        let alpha = mul(&sub(&self.x, &delta), &FIELD.add(&self.x, &delta));
        let alpha = FIELD.add(&alpha, &twice(&alpha));
        let x = sub(&mul(&alpha, &alpha), &twice(&beta));
        let z = FIELD.add(&self.y, &self.z);
        let z = sub(&sub(&mul(&z, &z), &gamma), &delta);
        let gamma = twice(&gamma);
        let y = sub(&mul(&alpha, &sub(&beta, &x)), &twice(&mul(&gamma, &gamma)));
        Point { x, y, z }
    }

    /// The sum of any two points.
    #[inline(never)]
    fn add(&self, other: &Self) -> Self {
        if self.z == ZERO {
            return other.clone();
        }
        if other.z == ZERO {
            return self.clone();
        }
        // Where Z is 1, as in most sums here, a third of the work is none.
        let (u1, s1, z) = if other.z == UNIT {
            (self.x, self.y, self.z)
        } else {
            let square = mul(&other.z, &other.z);
            let cube = mul(&square, &other.z);
            (mul(&self.x, &square), mul(&self.y, &cube), mul(&self.z, &other.z))
        };
        let square = mul(&self.z, &self.z);
        let h = sub(&mul(&other.x, &square), &u1);
        let r = sub(&mul(&other.y, &mul(&square, &self.z)), &s1);
        if h == ZERO {
            // The same x: the same point, or its negative.
            return if r == ZERO { self.double() } else { Self::INFINITY };
        }
        let square = mul(&h, &h);
        let cube = mul(&square, &h);
        let v = mul(&u1, &square);
        let x = sub(&sub(&mul(&r, &r), &cube), &twice(&v));
        let y = sub(&mul(&r, &sub(&v, &x)), &mul(&s1, &cube));
        Point { x, y, z: mul(&z, &h) }
    }
}

#[cfg(all(test, feature = "sign"))]
mod tests;
