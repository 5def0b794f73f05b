//! How fast an upload goes.

use crate::Instant;

/// Bytes a second, smoothed over about two seconds.
#[derive(Debug)]
pub(crate) struct Meter {
    last: (Instant, u32),
    rate: Option<u64>,
}

/// Microseconds over which the rate is smoothed.
const SMOOTH_MICROS: u64 = 2_000_000;
/// Microseconds between two samples.
const SAMPLE_MICROS: u64 = 250_000;

impl Meter {
    pub(crate) fn new(now: Instant) -> Self {
        Meter {
            last: (now, 0),
            rate: None,
        }
    }

    /// So many bytes were there from an earlier try: they say nothing about the rate.
    pub(crate) fn start_from(&mut self, done: u32) {
        self.last.1 = done;
    }

    /// Bytes a second; `None` until it is known.
    pub(crate) fn rate(&self) -> Option<u64> {
        self.rate
    }

    /// So many bytes are there now.
    pub(crate) fn at(&mut self, now: Instant, done: u32) {
        let micros = now.0.saturating_sub(self.last.0.0);
        if micros < SAMPLE_MICROS {
            return;
        }
        let moved = u64::from(done.saturating_sub(self.last.1));
        let sample = moved * 1_000_000 / micros;
        self.rate = Some(match self.rate {
            None => sample,
            Some(rate) => (rate * SMOOTH_MICROS + sample * micros) / (SMOOTH_MICROS + micros),
        });
        self.last = (now, done);
    }
}
