//! Milliseconds from a timer that counts microseconds.

/// Milliseconds, counted from a timer of 32 bits that counts microseconds, goes round once in 71 minutes and is looked at more
/// often than that. To divide 64 bits would take 1 KB of flash on a Cortex-M0.
#[derive(Debug, Default)]
pub struct Millis {
    counted: u64,
    /// The timer when the last of these milliseconds began.
    began: u32,
}

impl Millis {
    /// Microseconds of a millisecond.
    pub const MICROS: u32 = 1000;

    /// How many have passed, the timer being at `micros`.
    pub fn at(&mut self, micros: u32) -> u64 {
        let since = micros.wrapping_sub(self.began);
        // Processors without a divider take hundreds of cycles, and the time is asked for at every turn of the loop.
        if since < Self::MICROS {
            return self.counted;
        }
        let passed = since / Self::MICROS;
        self.began = self.began.wrapping_add(passed * Self::MICROS);
        self.counted += u64::from(passed);
        self.counted
    }

    /// Where the timer stands `millis` after the last millisecond that was counted began.
    pub fn later(&self, millis: u32) -> u32 {
        self.began.wrapping_add(millis * Self::MICROS)
    }
}
