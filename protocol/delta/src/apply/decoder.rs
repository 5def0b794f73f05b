//! The range decoder and the input that it holds.

use crate::header::MAX_LEN;
use crate::model::{Coder, PRECISION, Prob, adapt};

/// What one symbol reads at most, rounded up: 7 bits of an operation, 11 of a length and 11 of a distance at no more
/// than 8.1 bits each (a probability is never below 15/4096), and 53 without a model: 36 bytes, and one for the rest.
const SYMBOL: usize = 40;
/// Bytes of input that are held: a header, or a symbol and some more.
const HELD: usize = MAX_LEN;

/// Decodes bits from input that comes in pieces.
// The large part last: see `Applier`.
#[repr(C)]
pub(super) struct Decoder {
    range: u32,
    code: u32,
    /// Where the input begins, and how many bytes there are; it goes on at the start of the buffer.
    first: usize,
    held: usize,
    input: [u8; HELD],
}

impl Decoder {
    pub(super) const EMPTY: Self = Self {
        range: 0,
        code: 0,
        input: [0; HELD],
        first: 0,
        held: 0,
    };

    pub(super) fn clear(&mut self) {
        self.first = 0;
        self.held = 0;
    }

    /// The input, where nothing has been taken from it since it was clear.
    pub(super) fn input(&self) -> &[u8] {
        self.input.get(..self.held).unwrap_or_default()
    }

    /// Bytes that are held.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Whether a symbol can be decoded without more input.
    pub(super) fn ready(&self) -> bool {
        self.held >= SYMBOL
    }

    /// Takes a byte, unless all room is taken.
    pub(super) fn push(&mut self, byte: u8) -> bool {
        if self.held >= HELD {
            return false;
        }
        if let Some(slot) = self.input.get_mut((self.first + self.held) % HELD) {
            *slot = byte;
        }
        self.held += 1;
        true
    }

    /// The next byte; zeros at the end of a stream are not sent.
    fn pull(&mut self) -> u32 {
        if self.held == 0 {
            return 0;
        }
        let byte = self.input.get(self.first % HELD).copied().unwrap_or(0);
        self.first = (self.first + 1) % HELD;
        self.held -= 1;
        byte.into()
    }

    pub(super) fn begin(&mut self) {
        self.range = u32::MAX;
        for _ in 0..4 {
            self.code = self.code << 8 | self.pull();
        }
    }

    fn normalise(&mut self) {
        if self.range < 1 << 24 {
            self.range <<= 8;
            self.code = self.code << 8 | self.pull();
        }
    }
}

impl Coder for Decoder {
    // The innermost of everything, and called from many places: small chips want it once.
    #[inline(never)]
    fn bit(&mut self, prob: &mut Prob, _: u32) -> u32 {
        self.normalise();
        let bound = (self.range >> PRECISION) * u32::from(prob.zero() >> 4);
        let bit = if self.code < bound {
            self.range = bound;
            0
        } else {
            self.range -= bound;
            self.code -= bound;
            1
        };
        adapt(prob, bit);
        bit
    }

    fn direct(&mut self, count: u32, _: u32) -> u32 {
        let mut value = 0;
        for _ in 0..count {
            self.normalise();
            self.range >>= 1;
            let mut bit = 0;
            if self.code >= self.range {
                self.code -= self.range;
                bit = 1;
            }
            value = value << 1 | bit;
        }
        value
    }
}
