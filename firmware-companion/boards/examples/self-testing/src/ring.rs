//! Bytes from an interrupt handler to the main program.

use core::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

/// Holds one byte less than its size.
pub(crate) struct Ring<const N: usize> {
    bytes: [AtomicU8; N],
    head: AtomicUsize,
    tail: AtomicUsize,
}

impl<const N: usize> Ring<N> {
    pub(crate) const fn new() -> Self {
        Ring {
            bytes: [const { AtomicU8::new(0) }; N],
            head: AtomicUsize::new(0),
            tail: AtomicUsize::new(0),
        }
    }

    const fn after(place: usize) -> usize {
        if place + 1 < N { place + 1 } else { 0 }
    }

    /// Whether one more byte fits.
    pub(crate) fn has_room(&self) -> bool {
        Self::after(self.head.load(Ordering::Relaxed)) != self.tail.load(Ordering::Acquire)
    }

    /// For the interrupt handler alone, when there is room.
    pub(crate) fn push(&self, byte: u8) {
        let head = self.head.load(Ordering::Relaxed);
        let next = Self::after(head);
        if let Some(place) = self.bytes.get(head) {
            place.store(byte, Ordering::Relaxed);
        }
        self.head.store(next, Ordering::Release);
    }

    /// For the main program alone.
    pub(crate) fn pop(&self) -> Option<u8> {
        let tail = self.tail.load(Ordering::Relaxed);
        if tail == self.head.load(Ordering::Acquire) {
            return None;
        }
        let byte = self.bytes.get(tail)?.load(Ordering::Relaxed);
        self.tail.store(Self::after(tail), Ordering::Release);
        Some(byte)
    }
}
