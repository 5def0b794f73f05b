//! Words that read one way now and another way later.

use core::ops::Range;

use bootlace_core::flash::FlashError;

/// What decides how such words read, and which part of a torn operation happens: the same every time.
#[derive(Clone, Debug)]
pub(super) struct Noise(u64);

impl Default for Noise {
    fn default() -> Self {
        Noise(0x9E37_79B9_7F4A_7C15)
    }
}

impl Noise {
    pub(super) fn stir(&mut self, seed: u64) {
        self.0 ^= seed.wrapping_mul(0xD134_2543_DE82_EF95);
    }

    pub(super) fn next(&mut self) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(super) fn coin(&mut self) -> bool {
        self.next().is_multiple_of(2)
    }
}

/// A word whose programming or erasing had hardly begun, or was all but done: it reads wholly as in flash, where it is
/// erased or was programmed since, or has these zeros as well.
#[derive(Clone, Debug)]
struct Weak {
    start: usize,
    word: Vec<u8>,
    /// How it reads until the board starts anew; `None` if that is open at each read.
    reads: Option<bool>,
}

/// All such words of a chip.
#[derive(Clone, Debug, Default)]
pub(super) struct Doubt {
    /// Bits that read differently each time, by byte.
    unstable: Vec<(usize, u8)>,
    weak: Vec<Weak>,
}

impl Doubt {
    /// The bits of `mask` in a byte read differently each time.
    pub(super) fn loosen(&mut self, byte: usize, mask: u8) {
        if mask != 0 {
            self.unstable.push((byte, mask));
        }
    }

    /// The word from here on reads as these bytes, or as what is in flash, where it is erased.
    pub(super) fn weaken(&mut self, start: usize, word: &[u8], noise: &mut Noise) {
        self.weak.push(Weak {
            start,
            word: word.to_vec(),
            reads: noise.coin().then(|| noise.coin()),
        });
    }

    /// The board starts anew.
    pub(super) fn turn(&mut self, noise: &mut Noise) {
        let reads = self.weak.iter_mut().filter_map(|weak| weak.reads.as_mut());
        reads.for_each(|reads| *reads = noise.coin());
    }

    /// What the word from here on may read as, if it is weak.
    pub(super) fn weak(&self, start: usize) -> Option<&[u8]> {
        let entry = self.weak.iter().find(|weak| weak.start == start);
        entry.map(|weak| weak.word.as_slice())
    }

    pub(super) fn is_in(&self, bytes: Range<usize>) -> bool {
        self.unstable.iter().any(|(byte, _)| bytes.contains(byte))
            || self.weak.iter().any(|weak| bytes.contains(&weak.start))
    }

    /// These bytes are programmed: a bit that is 0 now is so for good.
    pub(super) fn program(&mut self, at: usize, data: &[u8]) {
        let bits = |start: usize, len| {
            let start = start.checked_sub(at)?;
            data.get(start..start + len)
        };
        self.unstable.retain_mut(|(byte, mask)| {
            if let Some([bits]) = bits(*byte, 1) {
                *mask &= bits;
            }
            *mask != 0
        });
        self.weak.retain_mut(|weak| {
            let Some(bits) = bits(weak.start, weak.word.len()) else {
                return true;
            };
            for (byte, bits) in weak.word.iter_mut().zip(bits) {
                *byte &= bits;
            }
            weak.word != bits
        });
    }

    /// These bytes are erased, wholly.
    pub(super) fn end(&mut self, bytes: Range<usize>) {
        self.unstable.retain(|(byte, _)| !bytes.contains(byte));
        self.weak.retain(|weak| !bytes.contains(&weak.start));
    }

    /// What is read from `at` on, as it reads this time. Where the chip checks words, an unstable one cannot be read.
    pub(super) fn disturb(
        &self,
        at: usize,
        out: &mut [u8],
        checked: bool,
        noise: &mut Noise,
    ) -> Result<(), FlashError> {
        for Weak { start, word, reads } in &self.weak {
            let reads = reads.unwrap_or_else(|| noise.coin());
            for (byte, meant) in (*start..).zip(word).filter(|_| reads) {
                if let Some(value) = byte.checked_sub(at).and_then(|index| out.get_mut(index)) {
                    *value &= meant;
                }
            }
        }
        for (byte, mask) in &self.unstable {
            if let Some(value) = byte.checked_sub(at).and_then(|index| out.get_mut(index)) {
                if checked {
                    return Err(FlashError::Hardware);
                }
                *value ^= noise.next() as u8 & mask;
            }
        }
        Ok(())
    }
}
