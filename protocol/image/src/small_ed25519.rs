//! Ed25519, checking only, in the little flash of a small chip: signatures over a digest of 32 bytes.
//!
//! The `ed25519-dalek` crate needs 14 KB of a Cortex-M4's flash and checks a signature in one call; this is done in pieces, between
//! which a board feeds its watchdog, with the arithmetic that `small_p256` uses as well. It handles nothing secret, so it may branch
//! on what it sees; it must only be right, and tests compare it with the crate's `verify_strict`, whose rules it keeps, and with
//! Project Wycheproof's vectors.
//!
//! An attacker chooses R and S, and whoever can tell the challenge before R is chosen makes a signature without a key. So a processor
//! that was made to skip an instruction must not get along with a challenge of its own: it is computed once more before the
//! verdict and at each [`Ed25519Check::residue`], and a self-test of hash and arithmetic goes into the residue.

mod curve;

use crate::small::{ONE, Values, Words, ZERO, is_set};
use curve::{ADD, BASE, DOUBLE, FIELD, NEUTRAL, ORDER, Point, SUMMAND, radicand, summand, x_of};

/// Bits of the two factors that one step takes: at most 8 doublings and 16 sums, at most 1.2 million instructions of a Cortex-M0.
const BITS_PER_STEP: u16 = 8;
/// Bits of the factors: both are below L.
const BITS: u16 = 253;
/// The power that a root needs is one of 2^252 - 3: two zeros and a one below so many ones.
const ONES: u8 = 250;
/// From one power to the next, the number of ones is doubled, and is one more where the next bit of [`ONES`] is set.
const DOUBLINGS: u8 = ONES.ilog2() as u8;

/// FIPS 180-4, 5.3.5: the first 64 bits of the fractional parts of the first eight primes' square roots.
const INITIAL: [u64; 8] = [
    0x6A09_E667_F3BC_C908,
    0xBB67_AE85_84CA_A73B,
    0x3C6E_F372_FE94_F82B,
    0xA54F_F53A_5F1D_36F1,
    0x510E_527F_ADE6_82D1,
    0x9B05_688C_2B3E_6C1F,
    0x1F83_D9AB_FB41_BD6B,
    0x5BE0_CD19_137E_2179,
];
/// Bytes of a block of SHA-512: all that is hashed fits one.
const BLOCK: usize = 128;
/// Bytes of R, key and digest.
const HASHED: usize = 96;

/// R and the key in what is hashed, and where their x are.
const R: u8 = 0;
const KEY: u8 = 1;

/// The check of one signature, under way: 400 bytes.
#[derive(Clone, Debug)]
pub(crate) struct Ed25519Check {
    stage: Ed25519Stage,
    /// Bits of the factors that remain.
    bits: u16,
    /// What speaks against the signature before anything is computed, or against this processor: 0 is nothing.
    doubt: u32,
    /// Of the base point, S; of the key's negative, the challenge.
    factors: [Words; 2],
    /// What the challenge is the hash of: R, key and digest, padded (FIPS 180-4, 5.1.2).
    block: [u8; BLOCK],
    /// x of R and of the key's negative, times 2^256. Their y are in the block.
    x: [Words; 2],
    /// The sum so far; while a root is computed, the radicand and its power.
    sum: Point,
}

#[derive(Clone, Copy, Debug)]
enum Ed25519Stage {
    /// The x of R, or of the key, is computed, whose power has got so far: [`ONES`] without so many of its lowest bits.
    Rooting { point: u8, bits: u8 },
    /// S times the base point less the challenge times the key is computed, both products at once, from their factors' highest
    /// bits down.
    Multiplying,
}

impl Ed25519Check {
    /// To be begun.
    pub(crate) fn new() -> Self {
        Ed25519Check {
            stage: Ed25519Stage::Rooting { point: R, bits: 0 },
            bits: 0,
            doubt: u32::MAX,
            factors: [ZERO; 2],
            block: [0; BLOCK],
            x: [ZERO; 2],
            sum: [ZERO; 4],
        }
    }

    /// Begins to check that `signature` (R, then S) is of `digest` by the key.
    pub(crate) fn begin(&mut self, key: &[u8; 32], digest: &[u8; 32], signature: &[u8; 64]) {
        let doubt = self.self_test();
        let (r, s) = signature.split_at(32);
        self.block = [0; BLOCK];
        for (place, part) in self.block.chunks_mut(32).zip([r, key, digest]) {
            place.copy_from_slice(part);
        }
        if let Some([one, .., high, low]) = self.block.get_mut(HASHED..) {
            (*one, [*high, *low]) = (0x80, (8 * HASHED as u16).to_be_bytes());
        }
        self.challenge();
        let [factor, _] = &mut self.factors;
        *factor = words(s);
        let is_in_range = ORDER.has(factor) && FIELD.has(&masked(r));
        // The key that the block holds is the board's, wherever a copy of it went wrong.
        let copied = self.block.iter().skip(32 * usize::from(KEY)).zip(key);
        self.doubt = copied.fold(
            doubt | u32::from(is_in_range).wrapping_sub(1),
            |bits, (one, other)| bits | u32::from(one ^ other),
        );
        self.begin_root(R);
    }

    /// Does the next piece, at most 1.2 million instructions of a Cortex-M0; returns the verdict after the last one.
    pub(crate) fn step(&mut self) -> Option<bool> {
        match self.stage {
            Ed25519Stage::Rooting { point, bits: 0 } => {
                if !self.end_root(point) {
                    return Some(false);
                }
                if point == R {
                    self.begin_root(KEY);
                } else {
                    (self.sum, self.bits) = (NEUTRAL, BITS);
                    self.stage = Ed25519Stage::Multiplying;
                }
                None
            }
            Ed25519Stage::Rooting { point, bits } => {
                let bits = bits - 1;
                self.raise(bits);
                self.stage = Ed25519Stage::Rooting { point, bits };
                None
            }
            Ed25519Stage::Multiplying => {
                self.multiply();
                (self.bits == 0).then(|| self.residue() == 0)
            }
        }
    }

    fn part(&self, point: u8) -> &[u8] {
        self.block.get(32 * usize::from(point)..).unwrap_or_default()
    }

    /// A point's y, times 2^256. A key's may be above p: it is taken modulo p, as the crate does.
    fn y(&self, point: u8) -> Words {
        let mut y = masked(self.part(point));
        FIELD.enter(&mut y);
        y
    }

    fn begin_root(&mut self, point: u8) {
        let radicand = radicand(&self.y(point));
        let [number, power, ..] = &mut self.sum;
        (*number, *power) = (radicand, radicand);
        self.stage = Ed25519Stage::Rooting {
            point,
            bits: DOUBLINGS,
        };
    }

    /// From a power of as many ones as [`ONES`] says without all bits that are left but one, to that without `bits`.
    fn raise(&mut self, bits: u8) {
        let [number, power, ..] = &mut self.sum;
        let (before, ones) = (*power, ONES >> bits);
        square(power, ones >> 1);
        FIELD.multiply(power, &before);
        if ones & 1 != 0 {
            square(power, 1);
            FIELD.multiply(power, number);
        }
    }

    /// Computes a point's x from the power; false where there is no such point, or where it has small order.
    fn end_root(&mut self, point: u8) -> bool {
        let y = self.y(point);
        let sign = self.part(point).get(31).is_some_and(|byte| byte >> 7 != 0);
        let [number, power, ..] = &mut self.sum;
        square(power, 2);
        FIELD.multiply(power, number);
        // Of the key, the negative.
        let x = x_of(&y, power, sign == (point == R));
        if let (Some(place), Some(x)) = (self.x.get_mut(usize::from(point)), x) {
            *place = x;
        }
        x.is_some()
    }

    /// Takes the next bits of both factors.
    fn multiply(&mut self) {
        let [base_x, base_y] = &BASE;
        let [_, key_x] = &self.x;
        let summands = [summand(base_x, base_y), summand(key_x, &self.y(KEY))];
        let mut values = Values::ZERO;
        values.set(0, &self.sum);
        let end = self.bits.saturating_sub(BITS_PER_STEP);
        while self.bits > end {
            self.bits -= 1;
            values.run(&FIELD, &DOUBLE);
            for (factor, summand) in self.factors.iter().zip(&summands) {
                if is_set(factor, self.bits.into()) {
                    values.set(SUMMAND, summand);
                    values.run(&FIELD, &ADD);
                }
            }
        }
        self.sum = *values.first();
    }

    /// Computes the challenge.
    fn challenge(&mut self) {
        let [_, factor] = &mut self.factors;
        challenge(&self.block, factor);
    }

    /// Does a step with numbers whose result is known. 0: as it should be.
    fn self_test(&mut self) -> u32 {
        /// All words of what comes out.
        const KNOWN: u32 = 0x0B7E_270F;
        self.block = [0xA5; BLOCK];
        self.challenge();
        let ([s, _], [_, x]) = (&mut self.factors, &mut self.x);
        [*x, *s] = BASE;
        // Where all four pairs of bits occur.
        (self.sum, self.bits) = (NEUTRAL, 248);
        self.multiply();
        let words = self.sum.as_flattened().iter().chain(self.factors.as_flattened());
        words.fold(0u32, |all, word| all.rotate_left(1) ^ word) ^ KNOWN
    }

    /// 0 where the verdict is good, and else a number of which almost all bits are set. It may be asked for after the verdict, and is
    /// then computed anew: the challenge, and whether the sum is R.
    #[inline(never)]
    pub(crate) fn residue(&self) -> u32 {
        let (Ed25519Stage::Multiplying, 0) = (self.stage, self.bits) else {
            return u32::MAX;
        };
        let ([x, y, z, _], [r_x, _], [_, factor]) = (&self.sum, &self.x, &self.factors);
        let mut again = ZERO;
        challenge(&self.block, &mut again);
        let (mut scaled_x, mut scaled_y) = (*r_x, self.y(R));
        FIELD.multiply(&mut scaled_x, z);
        FIELD.multiply(&mut scaled_y, z);
        let pairs = [(&scaled_x, x), (&scaled_y, y), (&again, factor)];
        let words = pairs.iter().flat_map(|(one, other)| one.iter().zip(*other));
        let differs = words.fold(self.doubt, |bits, (one, other)| bits | one ^ other);
        // No point has Z = 0.
        if *z == ZERO {
            return u32::MAX;
        }
        differs
    }
}

/// The hash of a block modulo L (RFC 8032, 5.1.7).
#[inline(never)]
fn challenge(block: &[u8; BLOCK], out: &mut Words) {
    let mut state = INITIAL;
    sha2::block_api::compress512(&mut state, core::slice::from_ref(block));
    *out = reduced(&state);
}

/// A hash modulo L.
fn reduced(hash: &[u64; 8]) -> Words {
    let mut halves = [ZERO; 2];
    let words = halves.as_flattened_mut().as_chunks_mut().0;
    for ([low, high], word) in words.iter_mut().zip(hash) {
        // The hash's bytes are a number, lowest first.
        let word = word.swap_bytes();
        (*low, *high) = (word as u32, (word >> 32) as u32);
    }
    let [mut low, mut high] = halves;
    // The higher half counts 2^256 times, and the last product takes that off both again.
    ORDER.enter(&mut high);
    ORDER.enter(&mut high);
    ORDER.enter(&mut low);
    ORDER.add(&mut low, &high);
    ORDER.multiply(&mut low, &ONE);
    low
}

/// Squares a number so many times.
fn square(number: &mut Words, times: u8) {
    for _ in 0..times {
        let factor = *number;
        FIELD.multiply(number, &factor);
    }
}

/// A number from 32 bytes, lowest first.
fn words(bytes: &[u8]) -> Words {
    let mut words = ZERO;
    for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    words
}

/// The same without its highest bit, which says which x belongs to a y.
fn masked(bytes: &[u8]) -> Words {
    let mut words = words(bytes);
    let [.., highest] = &mut words;
    *highest &= u32::MAX >> 1;
    words
}

#[cfg(all(test, feature = "sign"))]
mod tests;
