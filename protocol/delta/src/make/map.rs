//! Learning by how much each part of the base has moved, from what its branches and pointers became.

use alloc::vec::Vec;

use super::align::Segment;
use crate::header::Header;
use crate::view::{self, RAM, RAM_KEY, Run};

/// What a run must win, in votes, to be worth its bytes.
const PENALTY: f32 = 3.0;

/// For which shift the references to a key speak, and how strongly.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vote {
    key: u32,
    /// Its number as they came.
    order: u32,
    shift: i32,
    weight: f32,
}

/// Votes by key; those to the same key in the order in which they came, one for each shift.
pub(crate) type Votes = Vec<Vote>;

fn vote(votes: &mut Votes, key: u32, shift: i32, weight: f32) {
    // What does not fit in a run's 24 bits can't be told.
    if (-(1 << 23)..1 << 23).contains(&shift) {
        let order = votes.len() as u32;
        votes.push(Vote {
            key,
            order,
            shift,
            weight,
        });
    }
}

/// Sorts votes, and adds up those for the same shift.
fn count(mut votes: Votes) -> Votes {
    votes.sort_unstable_by_key(|vote| (vote.key, vote.order));
    let mut counted: Votes = Vec::with_capacity(votes.len());
    let mut first = 0;
    for vote in votes {
        if counted.last().is_none_or(|last| last.key != vote.key) {
            first = counted.len();
        }
        let same = counted
            .iter_mut()
            .skip(first)
            .find(|other| other.shift == vote.shift);
        match same {
            Some(other) => other.weight += vote.weight,
            None => counted.push(vote),
        }
    }
    counted
}

fn half(bytes: &[u8], at: usize) -> u16 {
    bytes
        .get(at..at + 2)
        .map_or(0, |two| u16::from_le_bytes([two[0], two[1]]))
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from(half(bytes, at + 2)) << 16 | u32::from(half(bytes, at))
}

fn target_of(bytes: &[u8], at: usize) -> u32 {
    (view::field(half(bytes, at), half(bytes, at + 2)) << 1).wrapping_add(at as u32 + 4) & 0x7f_ffff
}

/// Votes of all references that lie in stretches known to belong together.
pub(crate) fn votes(base: &[u8], target: &[u8], segments: &[Segment], header: &Header) -> Votes {
    let mut votes = Votes::new();
    let is_branch = |bytes: &[u8], at: usize| view::branch(half(bytes, at), half(bytes, at + 2));
    for segment in segments {
        let end = segment.base + segment.len;
        if (segment.base ^ segment.target) & 1 == 0 {
            let mut from = segment.base.next_multiple_of(2);
            while from + 4 <= end {
                let to = from - segment.base + segment.target;
                if is_branch(base, from) && is_branch(target, to) {
                    let (old, new) = (target_of(base, from), target_of(target, to));
                    if old < header.base_len && (new as usize) < target.len() {
                        vote(&mut votes, old, new.wrapping_sub(old) as i32, 1.0);
                    }
                    from += 4;
                } else {
                    from += 2;
                }
            }
        }
        if (segment.base ^ segment.target) & 3 == 0 {
            for from in (segment.base.next_multiple_of(4)..end.saturating_sub(3)).step_by(4) {
                let to = from - segment.base + segment.target;
                let (old, new) = (word(base, from), word(target, to));
                let (old_offset, new_offset) = (
                    old.wrapping_sub(header.base_address),
                    new.wrapping_sub(header.target_address),
                );
                let (old_ram, new_ram) = (old.wrapping_sub(RAM), new.wrapping_sub(RAM));
                if old_offset < header.base_len && new_offset as usize <= target.len() {
                    vote(
                        &mut votes,
                        old_offset & !1,
                        new_offset.wrapping_sub(old_offset) as i32,
                        1.0,
                    );
                } else if old_ram < header.ram && new_ram < header.ram {
                    vote(&mut votes, RAM_KEY | old_ram, new.wrapping_sub(old) as i32, 1.0);
                }
            }
        }
        vote(
            &mut votes,
            segment.base as u32,
            (segment.target as i32).wrapping_sub(segment.base as i32),
            SEGMENT,
        );
    }
    count(votes)
}

/// What a stretch's own shift is worth: the bytes that a copy's distance would cost.
const SEGMENT: f32 = 3.0;

/// The runs that please most votes, at a penalty for each run.
pub(crate) fn runs(votes: &[Vote], most: usize) -> Vec<Run> {
    let mut penalty = PENALTY;
    loop {
        let mut runs = part(votes, 0..RAM_KEY, penalty);
        runs.extend(part(votes, RAM_KEY..1 << 24, penalty));
        if runs.len() <= most {
            return runs;
        }
        penalty *= 1.06;
    }
}

/// One of the two parts of the map: the best path through shifts, from 0, where changing costs the penalty.
fn part(votes: &[Vote], keys: core::ops::Range<u32>, penalty: f32) -> Vec<Run> {
    // Paths as linked lists: previous, key, shift.
    let mut steps: Vec<(usize, u32, i32)> = Vec::from([(usize::MAX, keys.start, 0)]);
    // By shift: the best sum of votes that ends there, and its path. What is worth less than the best minus the
    // penalty is as good as gone: changing to it from the best path is as cheap.
    let mut values: Vec<(i32, f32, usize)> = Vec::from([(0, 0.0, 0)]);
    let (mut best, mut best_step) = (0.0f32, 0usize);
    let first = votes.partition_point(|vote| vote.key < keys.start);
    let votes = votes.get(first..).unwrap_or_default();
    for same in votes.chunk_by(|a, b| a.key == b.key) {
        let (before, before_step) = (best, best_step);
        for &Vote {
            key, shift, weight, ..
        } in same
        {
            if key >= keys.end {
                break;
            }
            let place = values.binary_search_by_key(&shift, |value| value.0);
            let known = place.ok().and_then(|place| values.get(place)).copied();
            let (value, step) = match known {
                Some((_, value, step)) if value >= before - penalty => (value, step),
                _ => {
                    steps.push((before_step, key, shift));
                    (before - penalty, steps.len() - 1)
                }
            };
            let value = value + weight;
            match place {
                Ok(place) => values[place] = (shift, value, step),
                Err(place) => values.insert(place, (shift, value, step)),
            }
            if value > best {
                (best, best_step) = (value, step);
            }
        }
    }
    let mut runs = Vec::new();
    let mut step = best_step;
    while let Some(&(previous, key, shift)) = steps.get(step)
        && step != 0
    {
        runs.push(Run::new(key, shift));
        step = previous;
    }
    runs.reverse();
    runs
}
