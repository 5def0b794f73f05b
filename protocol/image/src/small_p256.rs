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
    (ORDER.has(&r) && ORDER.has(&s) && r != ZERO && s != ZERO).then_some(())?;
    let mut values = Values([ZERO; 9]);
    let key = values.on_curve(&x, &y)?;
    let base = values.on_curve(&G[0], &G[1])?;

    // Factors without Montgomery's 2^256: one product with an inverse that has it takes it off again.
    let inverse = ORDER.invert(&s);
    let (mut of_base, mut of_key) = (words(digest), r);
    ORDER.multiply(&mut of_base, &inverse);
    ORDER.multiply(&mut of_key, &inverse);

    values.clear();
    values.add(&base);
    values.add(&key);
    let table = [base, key, values.point()];
    values.clear();
    for bit in (0..256).rev() {
        values.run(&DOUBLE);
        let which = usize::from(is_set(&of_base, bit)) + 2 * usize::from(is_set(&of_key, bit));
        if let Some(point) = which.checked_sub(1).and_then(|which| table.get(which)) {
            values.add(point);
        }
    }
    let [x, _, z] = values.point();
    (z != ZERO).then_some(())?;
    // The sum's x = X / Z^2 must be r modulo n. As n < p, that is r or, for a few, r + n.
    let is_x = |r: &Words| {
        let mut r = *r;
        FIELD.enter(&mut r);
        FIELD.multiply(&mut r, &z);
        FIELD.multiply(&mut r, &z);
        r == x
    };
    let mut second = r;
    let carry = add(&mut second, &ORDER.words);
    (is_x(&r) || (!carry && FIELD.has(&second) && is_x(&second))).then_some(())
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

/// Adds `b`; says whether there is a 257th bit.
fn add(a: &mut Words, b: &Words) -> bool {
    sum_up(a, b, 0)
}

/// Subtracts `b`, modulo 2^256; says whether the difference is negative.
fn subtract(a: &mut Words, b: &Words) -> bool {
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
    fn has(&self, number: &Words) -> bool {
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

    fn add(&self, a: &mut Words, b: &Words) {
        let carry = add(a, b);
        self.reduce(a, carry);
    }

    fn subtract(&self, a: &mut Words, b: &Words) {
        if subtract(a, b) {
            add(a, &self.words);
        }
    }

    /// Montgomery's product: `a * b / 2^256`. One of them may be as large as 2^256, the other is below the modulus.
    #[inline(never)]
    fn multiply(&self, a: &mut Words, b: &Words) {
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
    fn enter(&self, number: &mut Words) {
        self.multiply(number, &self.square);
    }

    /// 1 / number, times 2^256: the number to the power of modulus - 2 (Fermat).
    fn invert(&self, number: &Words) -> Words {
        let (mut exponent, mut number, mut power) = (self.words, *number, ONE);
        subtract(&mut exponent, &[2, 0, 0, 0, 0, 0, 0, 0]);
        self.enter(&mut number);
        self.enter(&mut power);
        for bit in (0..256).rev() {
            let base = power;
            self.multiply(&mut power, &base);
            if is_set(&exponent, bit) {
                self.multiply(&mut power, &number);
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
type Point = [Words; 3];

/// 1, times 2^256.
const UNIT: Words = [1, 0, 0, u32::MAX, u32::MAX, u32::MAX, 0xFFFF_FFFE, 0];

/// What formulas work on, each known by its number. A point's coordinates come first.
struct Values([Words; 9]);

const X: u16 = 0;
const Y: u16 = 1;
const Z: u16 = 2;

impl Values {
    /// The point at these coordinates, if it is one of the curve's.
    fn on_curve(&mut self, x: &Words, y: &Words) -> Option<Point> {
        (FIELD.has(x) && FIELD.has(y)).then_some(())?;
        self.set(0, &[*x, *y, UNIT]);
        self.set(3, &[FIELD.square, B, ZERO]);
        self.run(&EQUATION);
        (self.at(5) == self.at(6)).then(|| self.point())
    }

    /// Adds a point.
    #[inline(never)]
    fn add(&mut self, other: &Point) {
        if *self.at(Z) == ZERO {
            return self.set(0, other);
        }
        self.set(3, other);
        if *self.at(5) == ZERO {
            return;
        }
        self.run(&SCALE_OTHER);
        // Where Z is 1, as in most sums here, a third of the work is none.
        if *self.at(5) != UNIT {
            self.run(&SCALE);
        }
        self.run(&COMPARE);
        let formula: &[u16] = match (*self.at(H) == ZERO, *self.at(R) == ZERO) {
            (false, _) => &ADD,
            // The same x: the same point, or its negative.
            (true, true) => &DOUBLE,
            (true, false) => &[sub(Z, Z, Z)],
        };
        self.run(formula);
    }

    fn point(&self) -> Point {
        let [x, y, z, ..] = self.0;
        [x, y, z]
    }

    /// The point at infinity.
    fn clear(&mut self) {
        self.set(0, &[ZERO; 3]);
    }

    fn set(&mut self, first: usize, values: &[Words; 3]) {
        for (place, value) in self.0.iter_mut().skip(first).zip(values) {
            *place = *value;
        }
    }

    fn at(&self, number: u16) -> &Words {
        self.0.get(usize::from(number)).unwrap_or(&ZERO)
    }

    /// Formulas are data: as calls they would take three times the flash.
    #[inline(never)]
    fn run(&mut self, formula: &[u16]) {
        for step in formula {
            let (mut value, right) = (*self.at(step >> 4 & 15), self.at(step & 15));
            match step >> 12 {
                MUL => FIELD.multiply(&mut value, right),
                SUB => FIELD.subtract(&mut value, right),
                _ => FIELD.add(&mut value, right),
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
const fn mul(to: u16, left: u16, right: u16) -> u16 {
    MUL << 12 | to << 8 | left << 4 | right
}

/// `to = left - right`
const fn sub(to: u16, left: u16, right: u16) -> u16 {
    SUB << 12 | to << 8 | left << 4 | right
}

/// `to = left + right`
const fn sum(to: u16, left: u16, right: u16) -> u16 {
    SUM << 12 | to << 8 | left << 4 | right
}

/// Of x, y, 1, 2^512 and b: x and y times 2^256, (x^2 - 3) x + b in 5, y^2 in 6.
const EQUATION: [u16; 9] = [
    mul(X, X, 3),
    mul(Y, Y, 3),
    mul(5, X, X),
    sub(5, 5, 2),
    sub(5, 5, 2),
    sub(5, 5, 2),
    mul(5, 5, X),
    sum(5, 5, 4),
    mul(6, Y, Y),
];

/// Explicit-Formulas Database, dbl-2001-b: delta in 3, gamma in 4, beta in 5, alpha in 6.
const DOUBLE: [u16; 23] = [
    mul(3, Z, Z),
    mul(4, Y, Y),
    mul(5, X, 4),
    // alpha = 3 (X - delta) (X + delta)
    sub(6, X, 3),
    sum(7, X, 3),
    mul(6, 6, 7),
    sum(7, 6, 6),
    sum(6, 6, 7),
    // Z = (Y + Z)^2 - gamma - delta
    sum(Z, Y, Z),
    mul(Z, Z, Z),
    sub(Z, Z, 4),
    sub(Z, Z, 3),
    // X = alpha^2 - 8 beta
    sum(5, 5, 5),
    sum(5, 5, 5),
    sum(7, 5, 5),
    mul(X, 6, 6),
    sub(X, X, 7),
    // Y = alpha (4 beta - X) - 8 gamma^2
    sub(5, 5, X),
    mul(Y, 6, 5),
    sum(4, 4, 4),
    mul(4, 4, 4),
    sum(4, 4, 4),
    sub(Y, Y, 4),
];

/// The difference of two points' x and of their y, as if they had the same Z.
const H: u16 = 6;
const R: u16 = 7;

/// The second point's x and y, in 3 and 4, with the first one's Z: in H and R.
const SCALE_OTHER: [u16; 4] = [mul(H, Z, Z), mul(R, H, Z), mul(H, 3, H), mul(R, 4, R)];
/// The first point's x and y with the second one's Z, which is in 5; the product of both Z.
const SCALE: [u16; 5] = [
    mul(8, 5, 5),
    mul(X, X, 8),
    mul(8, 8, 5),
    mul(Y, Y, 8),
    mul(Z, Z, 5),
];
const COMPARE: [u16; 2] = [sub(H, H, X), sub(R, R, Y)];
/// Explicit-Formulas Database, add-1998-cmo-2.
const ADD: [u16; 12] = [
    mul(3, H, H),
    mul(4, 3, H),
    mul(5, X, 3),
    mul(X, R, R),
    sub(X, X, 4),
    sub(X, X, 5),
    sub(X, X, 5),
    sub(5, 5, X),
    mul(5, R, 5),
    mul(4, Y, 4),
    sub(Y, 5, 4),
    mul(Z, Z, H),
];

#[cfg(all(test, feature = "sign"))]
mod tests;
