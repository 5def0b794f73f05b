//! ECDSA over NIST P-256, checking only, in the little flash of a small chip.
//!
//! The `p256` crate needs 19 KB of a Cortex-M0's flash and 6 KB of its stack; this needs a seventh of the one and a
//! third of the other, and is done in pieces, between which a board feeds its watchdog. It handles nothing secret (key,
//! digest and signature are all public), so it may branch on what it sees; it must only be right, and tests compare it
//! with the crate and with Project Wycheproof's vectors.

mod curve;
mod numbers;

use crate::small::{ONE, Values, Words, ZERO, add, is_set};
use curve::{B, DOUBLE, G, Point};
use numbers::{FIELD, Inversion, ORDER, words};

/// Bits of the inversion's exponent that one step takes: at most 128 products modulo n, about 0.9 million instructions
/// of a Cortex-M0.
const EXPONENT_BITS_PER_STEP: u16 = 64;
/// Bits of the two factors that one step takes: at most 8 doublings and 8 sums, about 0.9 million instructions of a
/// Cortex-M0.
const FACTOR_BITS_PER_STEP: u16 = 8;

/// The check of one signature, under way: 400 bytes.
#[derive(Clone, Debug)]
pub(crate) struct EcdsaCheck {
    /// The signature's first number.
    r: Words,
    stage: EcdsaStage,
}

#[derive(Clone, Debug)]
enum EcdsaStage {
    /// 1 / s is computed.
    Inverting {
        digest: Words,
        key: Point,
        inversion: Inversion,
    },
    /// (digest / s) G + (r / s) key is computed, both products at once, from their factors' highest bits down.
    Multiplying {
        factor_of_base: Words,
        factor_of_key: Words,
        key: Point,
        /// The sum of base point and key.
        both: Point,
        sum: Point,
        /// Bits of the factors that remain.
        bits: u16,
    },
}

impl EcdsaCheck {
    /// Begins to check that `signature` (r, then s) is of `digest` by the key at `point` (04, x, y). `None` where it
    /// can't be: a number out of range, or a point that is none of the curve's.
    pub(crate) fn new(point: &[u8; 65], digest: &[u8; 32], signature: &[u8; 64]) -> Option<Self> {
        let [4, coordinates @ ..] = point else { return None };
        let (x, y) = halves(coordinates);
        let (r, s) = halves(signature);
        (ORDER.has(&r) && ORDER.has(&s) && r != ZERO && s != ZERO).then_some(())?;
        Some(EcdsaCheck {
            r,
            stage: EcdsaStage::Inverting {
                digest: words(digest),
                key: Values::on_curve(&x, &y)?,
                inversion: Inversion::of(&s),
            },
        })
    }

    /// Does the next piece, at most a million instructions of a Cortex-M0; returns the verdict after the last one.
    pub(crate) fn step(&mut self) -> Option<bool> {
        match &mut self.stage {
            EcdsaStage::Inverting {
                digest,
                key,
                inversion,
            } => {
                let inverse = inversion.step(EXPONENT_BITS_PER_STEP)?;
                // Factors without Montgomery's 2^256: one product with an inverse that has it takes it off again.
                let (mut factor_of_base, mut factor_of_key) = (*digest, self.r);
                ORDER.multiply(&mut factor_of_base, inverse);
                ORDER.multiply(&mut factor_of_key, inverse);
                let (key, mut values) = (*key, Values::ZERO);
                values.add(&base());
                values.add(&key);
                self.stage = EcdsaStage::Multiplying {
                    factor_of_base,
                    factor_of_key,
                    key,
                    both: values.point(),
                    sum: [ZERO; 3],
                    bits: 256,
                };
                None
            }
            EcdsaStage::Multiplying {
                factor_of_base,
                factor_of_key,
                key,
                both,
                sum,
                bits,
            } => {
                let (base, mut values) = (base(), Values::ZERO);
                values.set(0, sum);
                let end = bits.saturating_sub(FACTOR_BITS_PER_STEP);
                while *bits > end {
                    *bits -= 1;
                    values.run(&FIELD, &DOUBLE);
                    let bit = usize::from(*bits);
                    match (is_set(factor_of_base, bit), is_set(factor_of_key, bit)) {
                        (false, false) => {}
                        (true, false) => values.add(&base),
                        (false, true) => values.add(key),
                        (true, true) => values.add(both),
                    }
                }
                *sum = values.point();
                (end == 0).then(|| self.residue() == 0)
            }
        }
    }

    /// 0 where the verdict is good, and else a number of which almost all bits are set. It may be asked for after the
    /// verdict, and is then computed anew.
    ///
    /// The sum's x = X / Z^2 must be r modulo n. As n < p, that is r or, for a few, r + n. A sum of some of the factors' bits counts for
    /// nothing: an attacker guesses the first ones.
    #[inline(never)]
    pub(crate) fn residue(&self) -> u32 {
        let EcdsaStage::Multiplying { sum, bits: 0, .. } = &self.stage else {
            return u32::MAX;
        };
        let [x, _, z] = sum;
        let mut number = self.r;
        loop {
            let mut scaled = number;
            FIELD.enter(&mut scaled);
            FIELD.multiply(&mut scaled, z);
            FIELD.multiply(&mut scaled, z);
            let words = scaled.iter().zip(x);
            let differs = words.fold(0, |bits, (one, other)| bits | one ^ other);
            let carry = add(&mut number, &ORDER.words);
            // The point at infinity has no x.
            if *z == ZERO {
                return u32::MAX;
            }
            if differs == 0 || carry || !FIELD.has(&number) {
                return differs;
            }
        }
    }
}

/// The point with this x and the y that is odd or not, as 04, x, y. `None`: the curve has none there.
pub(crate) fn decompress(x: &[u8; 32], odd: bool) -> Option<[u8; 65]> {
    let x_words = words(x);
    FIELD.has(&x_words).then_some(())?;
    let mut scaled = x_words;
    FIELD.enter(&mut scaled);
    // y^2 = x^3 - 3 x + b
    let mut square = scaled;
    FIELD.multiply(&mut square, &scaled);
    FIELD.multiply(&mut square, &scaled);
    for _ in 0..3 {
        FIELD.subtract(&mut square, &scaled);
    }
    FIELD.add(&mut square, &B);
    // p is 3 modulo 4, so a root is the power of (p + 1) / 4: 2^254 - 2^222 + 2^190 + 2^94.
    let exponent: Words = [0, 0, 0x4000_0000, 0, 0, 0x4000_0000, 0xC000_0000, 0x3FFF_FFFF];
    let mut y = ONE;
    FIELD.enter(&mut y);
    for bit in (0..256).rev() {
        let base = y;
        FIELD.multiply(&mut y, &base);
        if is_set(&exponent, bit) {
            FIELD.multiply(&mut y, &square);
        }
    }
    FIELD.multiply(&mut y, &ONE);
    if is_set(&y, 0) != odd {
        let root = y;
        y = ZERO;
        FIELD.subtract(&mut y, &root);
    }
    // What has no root gives something else.
    Values::on_curve(&x_words, &y)?;
    let mut point = [4; 65];
    let (_, coordinates) = point.split_first_mut()?;
    for (place, word) in coordinates
        .chunks_mut(4)
        .zip(x_words.iter().rev().chain(y.iter().rev()))
    {
        place.copy_from_slice(&word.to_be_bytes());
    }
    Some(point)
}

/// Whether 04, x, y is a point of the curve.
pub(crate) fn is_point(point: &[u8; 65]) -> bool {
    let [4, coordinates @ ..] = point else {
        return false;
    };
    let (x, y) = halves(coordinates);
    Values::on_curve(&x, &y).is_some()
}

/// The base point, with Z = 1.
fn base() -> Point {
    // It is one of the curve's: the other is never seen.
    Values::on_curve(&G[0], &G[1]).unwrap_or([ZERO; 3])
}

fn halves(bytes: &[u8; 64]) -> (Words, Words) {
    let (first, second) = bytes.split_at(32);
    let read = |half: &[u8]| half.first_chunk().map_or(ZERO, words);
    (read(first), read(second))
}

#[cfg(all(test, feature = "sign"))]
mod tests;
