//! What a seed makes of a run, and the firmware that is updated in it.

use bootlace_delta::Method;
use bootlace_delta::make::{Options, make};
use bootlace_image::builder::{ImageBuilder, SigningKey};
use bootlace_image::{Algorithm, Version};
use bootlace_simulator::{Area, Behaviour, Map, Region};

use super::wire::{Dice, Faults};

/// Something that is done to board or cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// Power goes and comes back at once.
    PowerCycle,
    /// The next erase or program but this many is cut short, and power comes back 300 ms later.
    PowerCut(u64),
    /// The cable is pulled and plugged in again so many microseconds later. The board has power.
    Unplug(u64),
    /// A bit of this byte of an area flips.
    Flip(Area, u32),
}

/// What a seed makes of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// How bad the line is, in both directions.
    pub faults: Faults,
    /// Microseconds until it is that bad: before, it is good.
    pub good_for: u64,
    /// When something happens, in microseconds, in order.
    pub mishaps: Vec<(u64, Mishap)>,
    /// How the new application behaves.
    pub behaviour: Behaviour,
    /// Bytes of each image's payload.
    pub size: usize,
    /// The processor stands still while flash is written.
    pub stall: bool,
    /// The secondary slot holds something else, and has to be erased.
    pub used: bool,
    /// What the images are signed with.
    pub algorithm: Algorithm,
    /// The patch that the host has.
    pub patch: Patch,
}

/// A patch that a host has for the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patch {
    /// None: the image is sent.
    None,
    /// From what the board runs.
    Right,
    /// From another image.
    WrongBase,
    /// It was damaged before it was sent.
    Damaged,
}

impl Scenario {
    /// An update on a good line to an application that is well, while something is done to board or cable.
    pub fn with(mishaps: Vec<(u64, Mishap)>) -> Self {
        Self {
            faults: Faults::default(),
            good_for: 0,
            mishaps,
            behaviour: Behaviour::Normal,
            size: 6_000,
            stall: false,
            used: true,
            algorithm: Algorithm::P256,
            patch: Patch::None,
        }
    }

    /// The scenario of a seed: each eighth of all seeds has another kind of trouble, the last has all of them.
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let kind = seed % 8;
        // From a fault in a hundred thousand packets to one in five.
        let mut rate = |wanted: bool| {
            let magnitude = dice.below(5);
            let rate = 10u32.pow(u32::try_from(magnitude).unwrap_or_default() + 1) * 2;
            if wanted { rate } else { 0 }
        };
        let faults = Faults {
            lose: rate(matches!(kind, 1 | 7)),
            double: rate(matches!(kind, 2 | 7)),
            alter: rate(matches!(kind, 3 | 7)),
            cut: rate(matches!(kind, 1 | 7)),
            delay: rate(matches!(kind, 4 | 7)),
            latest: 1 + dice.below(3_000_000),
        };
        let good_for = if dice.below(2) == 0 {
            0
        } else {
            dice.below(1_000_000)
        };
        let mut mishaps = Vec::new();
        if matches!(kind, 5..8) {
            for _ in 0..=dice.below(3) {
                // Most of them while the image is sent, which takes less than a second.
                let range = 40_000 << (2 * dice.below(4) + dice.below(2));
                let at = dice.below(range);
                let mishap = match (kind, dice.below(3)) {
                    (5, 0) | (7, 0) => Mishap::PowerCycle,
                    (5, _) | (7, 1) => Mishap::PowerCut(dice.below(30)),
                    _ => Mishap::Unplug(10_000 + dice.below(20_000_000)),
                };
                mishaps.push((at, mishap));
            }
            mishaps.sort_by_key(|(at, _)| *at);
        }
        let behaviours = Behaviour::ALL;
        let behaviour = match dice.below(2) {
            0 => Behaviour::Normal,
            _ => behaviours[usize::try_from(dice.roll() >> 1).unwrap_or_default() % behaviours.len()].1,
        };
        Self {
            faults,
            good_for,
            mishaps,
            behaviour,
            size: usize::try_from(600 + dice.below(20_000)).unwrap_or_default(),
            stall: dice.below(4) == 0,
            used: dice.below(2) == 0,
            algorithm: if dice.below(2) == 0 {
                Algorithm::P256
            } else {
                Algorithm::Ed25519
            },
            patch: match dice.below(8) {
                0..3 => Patch::None,
                3..6 => Patch::Right,
                6 => Patch::WrongBase,
                _ => Patch::Damaged,
            },
        }
    }
}

/// Two images of a board's firmware, and the key they are signed with.
#[derive(Debug)]
pub struct Firmware {
    pub(super) key: SigningKey,
    pub(super) old: Vec<u8>,
    pub(super) new: Vec<u8>,
}

/// The board's slots: small, so that a run is short.
pub(super) fn map() -> Map {
    let region = |offset, size| Region {
        offset,
        size,
        erase: 4096,
    };
    Map {
        state: region(0x8000, 0x2000),
        primary: region(0xA000, 0x8000),
        secondary: region(0x12000, 0x8000),
        golden: None,
    }
}

/// Where the processor sees the first byte of flash.
pub(super) const FLASH: u32 = 0x0800_0000;
const HEADER: u16 = 0x200;

impl Firmware {
    /// Images of this payload size, of another content for each seed.
    ///
    /// # Panics
    /// When they can't be built: the harness is wrong.
    #[allow(
        clippy::expect_used,
        reason = "a harness that can't build its images is of no use"
    )]
    pub fn new(seed: u64, size: usize, algorithm: Algorithm) -> Self {
        let mut dice = Dice::new(seed ^ 0xf1f1);
        let key = SigningKey::from_seed(algorithm, &[7; 32]).expect("a key of a fixed seed");
        let mut image = |minor: u8| {
            let start = FLASH + map().primary.offset + u32::from(HEADER);
            let mut payload = Vec::with_capacity(size);
            payload.extend(0x2000_4000_u32.to_le_bytes());
            payload.extend((start + 0x101).to_le_bytes());
            payload.extend((8..size).map(|_| dice.roll().to_le_bytes()[0]));
            let version = Version {
                major: 1,
                minor,
                revision: 0,
                build: 0,
            };
            ImageBuilder::new(payload)
                .header_size(HEADER)
                .version(version)
                .sign(&key)
                .build()
        };
        let (old, new) = (image(1), image(2));
        Self { key, old, new }
    }

    /// The patch that the host has.
    ///
    /// # Panics
    /// When none can be made: the harness is wrong.
    #[allow(
        clippy::expect_used,
        reason = "a harness that can't make its patches is of no use"
    )]
    pub(super) fn patch(&self, kind: Patch) -> Option<Vec<u8>> {
        let from = match kind {
            Patch::None => return None,
            Patch::WrongBase => &self.new,
            Patch::Right | Patch::Damaged => &self.old,
        };
        let image = bootlace_image::Image::read(&mut from.as_slice()).expect("an image of its own");
        let base = from.get(..image.covered_len() as usize).expect("all of it");
        // The images have nothing in common; by this method the base is read all the same.
        let options = Options {
            method: Some(Method::Plain),
            ..Options::default()
        };
        let mut patch = make(base, &self.new, &options).bytes;
        if kind == Patch::Damaged {
            let middle = patch.len() / 2;
            patch.get_mut(middle).into_iter().for_each(|byte| *byte ^= 8);
        }
        Some(patch)
    }
}
