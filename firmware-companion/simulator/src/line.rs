//! One direction of a serial line: bytes take time.

use std::collections::VecDeque;

/// Bytes on their way.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    queue: VecDeque<u8>,
    /// Nanoseconds a byte.
    pace: u64,
    /// When the first byte of the queue will have arrived, in nanoseconds.
    due: u64,
    capacity: usize,
}

impl Line {
    /// `baud` in bits per second, 10 a byte; `None` is 1 MB/s.
    pub(crate) fn new(baud: Option<u32>, capacity: usize) -> Self {
        let pace = baud.map_or(1000, |baud| 10_000_000_000 / u64::from(baud.max(1)));
        Line {
            queue: VecDeque::new(),
            pace,
            due: 0,
            capacity,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(crate) fn room(&self) -> usize {
        self.capacity.saturating_sub(self.queue.len())
    }

    /// Takes as many bytes as there is room for; `now` in microseconds.
    pub(crate) fn send(&mut self, now: u64, bytes: &[u8]) -> usize {
        if self.queue.is_empty() {
            self.due = self.due.max(now * 1000) + self.pace;
        }
        let taken = bytes.len().min(self.room());
        self.queue.extend(bytes.iter().take(taken));
        taken
    }

    /// Bytes that have arrived by `now`.
    fn arrived(&self, now: u64) -> usize {
        let now = now * 1000;
        if self.queue.is_empty() || now < self.due {
            return 0;
        }
        ((now - self.due) / self.pace + 1).min(self.queue.len() as u64) as usize
    }

    /// Hands what has arrived to `take`, which says how much of it it took.
    pub(crate) fn deliver(&mut self, now: u64, take: impl FnOnce(&[u8]) -> usize) -> usize {
        let arrived = self.arrived(now);
        if arrived == 0 {
            return 0;
        }
        let bytes = self.queue.make_contiguous().get(..arrived).unwrap_or_default();
        let taken = take(bytes).min(arrived);
        self.queue.drain(..taken);
        self.due += self.pace * taken as u64;
        if taken < arrived {
            // Held up: what follows does not arrive in a burst.
            self.due = self.due.max(now * 1000);
        }
        taken
    }

    /// The line stood still until `now`.
    pub(crate) fn hold(&mut self, now: u64) {
        if !self.queue.is_empty() {
            self.due = self.due.max(now * 1000 + self.pace);
        }
    }

    /// When the next few bytes will have arrived, in microseconds.
    pub(crate) fn next(&self, few: usize) -> Option<u64> {
        let bytes = self.queue.len().min(few) as u64;
        (bytes > 0).then(|| (self.due + self.pace * (bytes - 1)).div_ceil(1000))
    }

    pub(crate) fn clear(&mut self) {
        self.queue.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_take_the_lines_time() {
        let mut line = Line::new(Some(115_200), 4096);
        assert_eq!(line.send(0, &[7; 1152]), 1152);
        let mut got = 0;
        for now in (0..=100_000).step_by(1000) {
            got += line.deliver(now, <[u8]>::len);
            let expected = now as usize * 1152 / 100_000;
            assert!(
                got.abs_diff(expected) <= 1,
                "{got} bytes at {now} us, not {expected}"
            );
        }
        assert!(line.is_empty());
    }

    #[test]
    fn a_full_line_takes_no_more() {
        let mut line = Line::new(None, 10);
        assert_eq!(line.send(0, &[1; 16]), 10);
        assert_eq!(line.deliver(1_000, |bytes| bytes.len().min(4)), 4);
        assert_eq!(line.send(1_000, &[1; 16]), 4);
    }
}
