//! A serial line that loses, doubles, alters and delays, the same way for the same seed.

use std::collections::VecDeque;

/// Pseudo-random numbers: splitmix64, enough for faults and small enough to be read.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice that fall the same way each time.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.roll() % end.max(1)
    }

    /// True `per_million` times in a million.
    pub fn happens(&mut self, per_million: u32) -> bool {
        self.below(1_000_000) < u64::from(per_million)
    }
}

/// How often things go wrong, each per million packets of up to 64 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// The packet is gone.
    pub lose: u32,
    /// It comes twice.
    pub double: u32,
    /// One bit of it is flipped.
    pub alter: u32,
    /// Some bytes at its end are gone.
    pub cut: u32,
    /// It, and all behind it, come up to `latest` later.
    pub delay: u32,
    /// Longest delay in microseconds.
    pub latest: u64,
}

impl Faults {
    /// Nothing goes wrong.
    pub fn is_none(&self) -> bool {
        let latest = self.latest;
        *self
            == Faults {
                latest,
                ..Faults::default()
            }
    }
}

/// Bytes on their way in one direction. Times are microseconds.
#[derive(Clone, Debug)]
pub struct Wire {
    /// Nanoseconds that a byte takes.
    pace: u64,
    free_at: u64,
    packets: VecDeque<(u64, Vec<u8>)>,
}

/// USB full speed moves data in packets of this size, so faults do as well.
const PACKET: usize = 64;

impl Wire {
    /// A wire for `rate` bytes a second.
    pub fn new(rate: u32) -> Self {
        Self {
            pace: 1_000_000_000 / u64::from(rate.max(1)),
            free_at: 0,
            packets: VecDeque::new(),
        }
    }

    /// Puts bytes on the wire.
    pub fn send(&mut self, now: u64, bytes: &[u8], faults: &Faults, dice: &mut Dice) {
        for packet in bytes.chunks(PACKET) {
            let start = self.free_at.max(now);
            self.free_at = start + (packet.len() as u64 * self.pace).div_ceil(1000);
            if dice.happens(faults.delay) {
                self.free_at += dice.below(faults.latest);
            }
            if dice.happens(faults.lose) {
                continue;
            }
            let mut packet = packet.to_vec();
            if dice.happens(faults.cut) {
                let kept = dice.below(packet.len() as u64);
                packet.truncate(usize::try_from(kept).unwrap_or_default());
            }
            if dice.happens(faults.alter) {
                let bit = dice.roll();
                let index = usize::try_from(bit >> 3).unwrap_or_default() % packet.len().max(1);
                if let Some(byte) = packet.get_mut(index) {
                    *byte ^= 1 << (bit & 7);
                }
            }
            if dice.happens(faults.double) {
                self.packets.push_back((self.free_at, packet.clone()));
            }
            self.packets.push_back((self.free_at, packet));
        }
    }

    /// Bytes that have arrived by `now`.
    pub fn arrive(&mut self, now: u64) -> Option<Vec<u8>> {
        self.packets
            .pop_front_if(|(due, _)| *due <= now)
            .map(|(_, packet)| packet)
    }

    /// When the next bytes arrive.
    pub fn next(&self) -> Option<u64> {
        self.packets.front().map(|(due, _)| *due)
    }

    /// The cable is pulled: what was on the way is gone.
    pub fn clear(&mut self) {
        self.packets.clear();
        self.free_at = 0;
    }

    /// Whether the wire takes bytes at `now` without piling up more than `ahead` microseconds.
    pub fn takes(&self, now: u64, ahead: u64) -> bool {
        self.free_at <= now + ahead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(faults: &Faults, seed: u64, bytes: &[u8]) -> Vec<u8> {
        let (mut wire, mut dice) = (Wire::new(1_000_000), Dice::new(seed));
        wire.send(0, bytes, faults, &mut dice);
        let mut out = Vec::new();
        while let Some(due) = wire.next() {
            out.extend(wire.arrive(due).into_iter().flatten());
        }
        out
    }

    #[test]
    fn a_good_wire_changes_nothing_and_takes_its_time() {
        let bytes: Vec<u8> = (0..200).collect();
        assert_eq!(through(&Faults::default(), 1, &bytes), bytes);
        let mut wire = Wire::new(100_000);
        wire.send(1000, &[0; 64], &Faults::default(), &mut Dice::new(1));
        assert_eq!(wire.arrive(1639), None);
        assert_eq!(wire.next(), Some(1640));
        assert!(wire.arrive(1640).is_some());
    }

    #[test]
    fn each_fault_shows_and_repeats_with_its_seed() {
        let bytes = vec![0; 6400];
        let always = 1_000_000;
        assert!(
            through(
                &Faults {
                    lose: always,
                    ..Faults::default()
                },
                7,
                &bytes
            )
            .is_empty()
        );
        assert_eq!(
            through(
                &Faults {
                    double: always,
                    ..Faults::default()
                },
                7,
                &bytes
            )
            .len(),
            12800
        );
        let altered = through(
            &Faults {
                alter: always,
                ..Faults::default()
            },
            7,
            &bytes,
        );
        assert_eq!(altered.iter().map(|byte| byte.count_ones()).sum::<u32>(), 100);
        assert_eq!(
            altered,
            through(
                &Faults {
                    alter: always,
                    ..Faults::default()
                },
                7,
                &bytes
            )
        );
        assert!(
            through(
                &Faults {
                    cut: always,
                    ..Faults::default()
                },
                7,
                &bytes
            )
            .len()
                < 6400
        );
        let half = through(
            &Faults {
                lose: 500_000,
                ..Faults::default()
            },
            7,
            &bytes,
        )
        .len();
        assert!((1600..4800).contains(&half), "{half}");
    }
}
