//! Programs that look like firmware, and applying with every access checked.
#![allow(dead_code)]

use bootlace_delta::make::Options;
use bootlace_delta::{Applier, Error, Memory, Method, PAGE, Step, Unreadable};
use sha2::{Digest, Sha256};

/// Numbers that look random, the same in each run.
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    pub(crate) fn next(&mut self) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.next() as usize % limit.max(1)
    }
}

/// An image that looks like code: calls, pointers to functions, RAM, constants. `seed` is the program, `edits` how
/// many functions were changed since.
pub(crate) fn program(seed: u64, functions: usize, edits: usize) -> Vec<u8> {
    const BASE: u32 = 0x0800_8000;
    let mut noise = Noise(seed);
    let bodies: Vec<Vec<u16>> = (0..functions)
        .map(|_| {
            (0..8 + noise.below(60))
                .map(|_| (noise.next() & 0xbfff) as u16 % 0xe800)
                .collect()
        })
        .collect();
    let calls: Vec<Vec<usize>> = (0..functions)
        .map(|_| (0..4).map(|_| noise.below(functions)).collect())
        .collect();
    let mut bodies = bodies;
    let mut change = Noise(seed ^ 0x55);
    for _ in 0..edits {
        let which = change.below(functions);
        let more = change.below(12);
        let place = change.below(bodies[which].len());
        bodies[which].splice(place..place, (0..more).map(|index| 0x2000 + index as u16));
    }
    // Each function: PUSH, body, calls, POP, two pointers.
    let mut starts = Vec::new();
    let mut at = 64;
    for body in &bodies {
        starts.push(at);
        at += (2 + body.len() * 2 + 16 + 2usize).next_multiple_of(4) + 8;
    }
    let mut image = Vec::new();
    image.extend_from_slice(&0x2000_8000u32.to_le_bytes());
    for start in starts.iter().cycle().take(15) {
        image.extend_from_slice(&(BASE + *start as u32 + 1).to_le_bytes());
    }
    for ((body, calls), start) in bodies.iter().zip(&calls).zip(&starts) {
        assert_eq!(image.len(), *start);
        let mut halves = vec![0xb510];
        halves.extend_from_slice(body);
        for call in calls {
            let from = start + halves.len() * 2 + 4;
            let offset = ((starts[*call] as i64 - from as i64) / 2) as u32;
            halves.extend_from_slice(&[
                0xf000 | (offset >> 11 & 0x7ff) as u16,
                0xf800 | (offset & 0x7ff) as u16,
            ]);
        }
        halves.push(0xbd10);
        if halves.len() % 2 == 1 {
            halves.push(0xbf00);
        }
        image.extend(halves.iter().flat_map(|half| half.to_le_bytes()));
        image.extend_from_slice(&(BASE + starts[calls[0]] as u32 + 1).to_le_bytes());
        image.extend_from_slice(&(0x2000_0000 + (*start as u32 % 0x1000)).to_le_bytes());
    }
    image
}

/// Memory that fails the test when it is asked for what there is not, and counts what it is asked.
pub(crate) struct Flash<'a> {
    base: &'a [u8],
    target: Vec<u8>,
    reads: usize,
}

impl Memory for Flash<'_> {
    fn read_base(&mut self, offset: u32, out: &mut [u8]) -> Result<(), Unreadable> {
        assert!(out.len() <= 8);
        self.reads += 1;
        out.copy_from_slice(&self.base[offset as usize..][..out.len()]);
        Ok(())
    }

    fn read_target(&mut self, offset: u32, out: &mut [u8]) -> Result<(), Unreadable> {
        assert!(out.len() <= 8);
        self.reads += 1;
        out.copy_from_slice(&self.target[offset as usize..][..out.len()]);
        Ok(())
    }
}

/// Applies in pieces; checks what holds for any patch.
pub(crate) fn apply(
    base: &[u8],
    patch: &[u8],
    room: u32,
    mut piece: impl FnMut() -> usize,
) -> Result<Option<Vec<u8>>, Error> {
    let mut flash = Flash {
        base,
        target: Vec::new(),
        reads: 0,
    };
    let mut applier = Box::new(Applier::new());
    applier.start(base.len() as u32, &Sha256::digest(base).into(), room);
    let (mut fed, mut steps) = (0, 0);
    loop {
        let end = patch.len().min(fed + piece());
        let taken = applier.feed(&patch[fed..end])?;
        fed += taken;
        flash.reads = 0;
        let step = applier.step(&mut flash)?;
        assert!(flash.reads <= 2 * (PAGE + 4), "{} reads in a step", flash.reads);
        steps += 1;
        assert!(steps <= 2 * patch.len() + room as usize / PAGE + 8, "no end");
        match step {
            Step::Page { offset } => {
                assert_eq!(offset as usize, flash.target.len());
                assert!(!applier.page().is_empty() && applier.page().len() <= PAGE);
                flash.target.extend_from_slice(applier.page());
                assert!(flash.target.len() <= room as usize);
                assert_eq!(applier.progress() as usize, flash.target.len());
            }
            Step::NeedInput if fed == patch.len() => return Ok(None),
            Step::NeedInput => {}
            Step::Done => {
                assert_eq!(flash.target.len(), applier.header().unwrap().target_len as usize);
                return if fed == patch.len() {
                    Ok(Some(flash.target))
                } else {
                    applier.feed(&patch[fed..]).map(|_| None)
                };
            }
        }
    }
}

pub(crate) fn pairs() -> Vec<(Vec<u8>, Vec<u8>)> {
    let old = program(1, 120, 0);
    let noise: Vec<u8> = (0..3001)
        .map({
            let mut noise = Noise(9);
            move |_| noise.next() as u8
        })
        .collect();
    let mut odd = old.clone();
    odd.truncate(4001);
    vec![
        (old.clone(), program(1, 120, 15)),
        (program(2, 300, 0), program(2, 300, 4)),
        (odd, program(1, 120, 3)[..4003].to_vec()),
        (old.clone(), old.clone()),
        (old.clone(), noise.clone()),
        (noise, old.clone()),
        (Vec::new(), old.clone()),
        (old, Vec::new()),
        (b"a".to_vec(), b"b".to_vec()),
        (Vec::new(), Vec::new()),
        (vec![0xff; 70_000], vec![0xff; 140_001]),
    ]
}

pub(crate) fn methods() -> [Options; 5] {
    let only = |method| Options {
        method: Some(method),
        base_address: Some(0x0800_8000),
        ..Options::default()
    };
    [
        Options::default(),
        only(Method::Full),
        only(Method::Plain),
        only(Method::FullThumb),
        only(Method::Relocated),
    ]
}
