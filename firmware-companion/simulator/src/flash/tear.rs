//! Operations that the power leaves half done.

use super::NorFlash;

impl NorFlash {
    /// Whole units up to a random place, one unit in between, the rest not at all.
    pub(super) fn tear_program(&mut self, at: usize, data: &[u8]) {
        let unit = self.write as usize;
        let units = data.len() / unit;
        let whole = (self.noise.next() % units.max(1) as u64) as usize;
        let (done, rest) = data.split_at((whole * unit).min(data.len()));
        self.program_bytes(at, done);
        let (start, word) = (at + done.len(), rest.get(..unit).unwrap_or(rest));
        if self.noise.coin() {
            self.program_bytes(start, &vec![0xFF; word.len()]);
            self.doubt.weaken(start, word, &mut self.noise);
            return;
        }
        for (place, byte) in (start..).zip(word) {
            let kept = self.noise.next() as u8 | byte;
            let loose = self.noise.next() as u8 & !byte;
            self.program_bytes(place, &[kept]);
            self.doubt.loosen(place, loose);
        }
    }

    /// A part of the unit is erased, and some words are neither: their bits read differently each time, or they read wholly
    /// as before or wholly erased.
    pub(super) fn tear_erase(&mut self, at: usize, len: usize) {
        let unit = self.write as usize;
        let words = len / unit;
        let erased = (self.noise.next() % (words as u64 + 1)) as usize;
        // Which end goes first differs from chip to chip.
        let start = if self.noise.coin() {
            at
        } else {
            at + (words - erased) * unit
        };
        let is_weak = self.noise.coin();
        let neither: Vec<(usize, Vec<u8>)> = (0..16)
            .map(|_| {
                let word = at + (self.noise.next() % words.max(1) as u64) as usize * unit;
                (word, self.word(word))
            })
            .collect();
        self.erase_bytes(start, erased * unit);
        for (word, before) in neither {
            if is_weak {
                self.erase_bytes(word, unit);
                self.doubt.weaken(word, &before, &mut self.noise);
            } else {
                self.loosen(word);
            }
            self.program_bytes(word, &vec![0xFF; unit]);
        }
    }

    /// What a word holds, or may hold.
    fn word(&self, start: usize) -> Vec<u8> {
        let weak = self.doubt.weak(start).map(<[u8]>::to_vec);
        weak.unwrap_or_else(|| {
            let bytes = self.bytes.get(start..start + self.write as usize);
            bytes.unwrap_or_default().to_vec()
        })
    }

    fn loosen(&mut self, word: usize) {
        for byte in word..word + self.write as usize {
            let set = self.noise.next() as u8;
            let loose = self.noise.next() as u8;
            if let Some(value) = self.bytes.get_mut(byte) {
                *value |= set;
            }
            self.doubt.loosen(byte, loose);
        }
    }
}
