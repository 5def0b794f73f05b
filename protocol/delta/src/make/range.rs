//! The range encoder, and what a symbol would cost.

use alloc::vec::Vec;

use crate::model::{Coder, PRECISION, Prob, adapt};

pub(crate) struct Encoder {
    low: u64,
    range: u32,
    /// Bytes that a carry may still change: the first, and how many of 0xff follow it.
    held: u8,
    pending: usize,
    out: Vec<u8>,
}

impl Encoder {
    pub(crate) fn new() -> Self {
        Self {
            low: 0,
            range: u32::MAX,
            held: 0,
            pending: 0,
            out: Vec::new(),
        }
    }

    fn shift(&mut self) {
        let carry = (self.low >> 32) as u8;
        if carry == 1 || self.low < 0xff00_0000 {
            self.out.push(self.held.wrapping_add(carry));
            self.out
                .extend(core::iter::repeat_n(0xffu8.wrapping_add(carry), self.pending));
            self.pending = 0;
            self.held = (self.low >> 24) as u8;
        } else {
            self.pending += 1;
        }
        self.low = (self.low & 0x00ff_ffff) << 8;
    }

    /// The stream: without the first byte, which is always zero, and the zeros at its end, which the decoder adds.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let end = self.low + u64::from(self.range);
        for bits in (0..32).rev() {
            let mask = (1u64 << bits) - 1;
            let round = (self.low + mask) & !mask;
            if round < end {
                self.low = round;
                break;
            }
        }
        for _ in 0..5 {
            self.shift();
        }
        let len = self
            .out
            .iter()
            .rposition(|&byte| byte != 0)
            .map_or(0, |last| last + 1);
        self.out.truncate(len);
        if !self.out.is_empty() {
            self.out.remove(0);
        }
        self.out
    }
}

impl Coder for Encoder {
    fn bit(&mut self, prob: &mut Prob, bit: u32) -> u32 {
        let bound = (self.range >> PRECISION) * u32::from(prob.zero() >> 4);
        if bit == 0 {
            self.range = bound;
        } else {
            self.low += u64::from(bound);
            self.range -= bound;
        }
        adapt(prob, bit);
        while self.range < 1 << 24 {
            self.range <<= 8;
            self.shift();
        }
        bit
    }

    fn direct(&mut self, count: u32, value: u32) -> u32 {
        for index in (0..count).rev() {
            self.range >>= 1;
            if value >> index & 1 == 1 {
                self.low += u64::from(self.range);
            }
            while self.range < 1 << 24 {
                self.range <<= 8;
                self.shift();
            }
        }
        value
    }
}

/// Adds up what symbols would cost, in 1/64 bit; the model stays as it is.
pub(crate) struct Price<'a> {
    pub(crate) table: &'a [u32; 256],
    pub(crate) total: u32,
}

/// The cost of a bit by the upper eight bits of its probability.
pub(crate) fn table() -> [u32; 256] {
    core::array::from_fn(|index| {
        // -log2 of (2 * index + 1) / 512, digit by digit: squaring doubles a logarithm.
        let odd = 2 * index as u64 + 1;
        let whole = odd.ilog2();
        let mut mantissa = odd << (31 - whole);
        let mut log = u64::from(whole);
        for _ in 0..6 {
            mantissa = (mantissa * mantissa) >> 31;
            log <<= 1;
            if mantissa >> 32 != 0 {
                mantissa >>= 1;
                log |= 1;
            }
        }
        9 * 64 - log as u32
    })
}

impl Coder for Price<'_> {
    #[inline]
    fn bit(&mut self, prob: &mut Prob, bit: u32) -> u32 {
        let chance = if bit == 0 { prob.zero() } else { !prob.zero() };
        self.total += self.table[usize::from(chance >> 8)];
        bit
    }

    fn direct(&mut self, count: u32, value: u32) -> u32 {
        self.total += 64 * count;
        value
    }
}
