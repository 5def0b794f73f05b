//! Which part of the base each part of the target came from.

use alloc::vec;
use alloc::vec::Vec;

/// A stretch of the target that resembles one of the base, byte by byte, with differences in between.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    pub(crate) base: usize,
    pub(crate) target: usize,
    pub(crate) len: usize,
}

/// Bytes that are hashed to find where a stretch may have come from.
const SEED: usize = 8;
/// How many places with the same hash are looked at.
const DEPTH: usize = 48;
/// Bytes over which two places are compared.
const WINDOW: usize = 48;
/// By how many bytes within the window another place must be better than going on.
const BETTER: usize = 10;
/// How far back a new place is tried.
const BACK: usize = 4096;

fn hash(bytes: &[u8]) -> usize {
    let word = bytes
        .iter()
        .take(SEED)
        .fold(0u64, |all, &byte| all << 8 | u64::from(byte));
    (word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 47) as usize
}

fn at(bytes: &[u8], place: isize) -> Option<u8> {
    usize::try_from(place)
        .ok()
        .and_then(|place| bytes.get(place))
        .copied()
}

/// How many bytes are equal from these places on, within the window.
fn alike(base: &[u8], from: isize, target: &[u8], to: usize) -> usize {
    let Ok(from) = usize::try_from(from) else { return 0 };
    let (Some(base), Some(target)) = (base.get(from..), target.get(to..)) else {
        return 0;
    };
    base.iter()
        .zip(target)
        .take(WINDOW)
        .filter(|(a, b)| a == b)
        .count()
}

pub(crate) fn align(base: &[u8], target: &[u8]) -> Vec<Segment> {
    let mut heads = vec![u32::MAX; 1 << 17];
    let mut chain = vec![u32::MAX; base.len()];
    for (place, window) in base.windows(SEED).enumerate().rev() {
        let head = &mut heads[hash(window)];
        chain[place] = *head;
        *head = place as u32;
    }
    let mut segments: Vec<Segment> = Vec::new();
    // The stretch in hand: where it begins in the target, and its shift from base to target.
    let (mut start, mut shift) = (0usize, 0isize);
    let mut place = 0;
    while place < target.len() {
        let here = place as isize - shift;
        let going_on = alike(base, here, target, place);
        if going_on + BETTER >= WINDOW || place + SEED > target.len() {
            place += if going_on == WINDOW { WINDOW / 2 } else { 1 };
            continue;
        }
        let (mut best, mut best_from) = (going_on + BETTER, None);
        let mut next = heads[hash(&target[place..])];
        for _ in 0..DEPTH {
            let Some(&after) = chain.get(next as usize) else {
                break;
            };
            let from = next as usize;
            next = after;
            if base[from..from + SEED] != target[place..place + SEED] {
                continue;
            }
            let score = alike(base, from as isize, target, place);
            let nearer =
                |other: usize| from.abs_diff(here.max(0) as usize) < other.abs_diff(here.max(0) as usize);
            if score > best || score == best && best_from.is_some_and(nearer) {
                (best, best_from) = (score, Some(from));
            }
        }
        let Some(from) = best_from else {
            place += 1;
            continue;
        };
        // The new stretch may have begun earlier: where it fits better than the one in hand.
        let new_shift = place as isize - from as isize;
        let (mut gain, mut most, mut begin) = (0i32, 0i32, place);
        for earlier in (start..place).rev().take(BACK) {
            let byte = target[earlier];
            let new = at(base, earlier as isize - new_shift) == Some(byte);
            let old = at(base, earlier as isize - shift) == Some(byte);
            gain += i32::from(new) - i32::from(old);
            if gain > most || gain == most && new {
                (most, begin) = (gain, earlier);
            }
            if gain < most - 16 {
                break;
            }
        }
        push(&mut segments, base.len(), start, begin, shift);
        (start, shift) = (begin, new_shift);
        place += 1;
    }
    push(&mut segments, base.len(), start, target.len(), shift);
    segments
}

fn push(segments: &mut Vec<Segment>, base_len: usize, start: usize, end: usize, shift: isize) {
    // What would lie outside of the base is cut off.
    let first = start.max(shift.max(0) as usize);
    let last = end.min(base_len.saturating_add_signed(shift));
    if first < last {
        let base = first.saturating_add_signed(-shift);
        segments.push(Segment {
            base,
            target: first,
            len: last - first,
        });
    }
}
