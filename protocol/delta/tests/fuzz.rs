//! Whatever a patch says: no panic, no access out of range, no work without bound, no wrong base.

#![allow(clippy::unwrap_used)]

use bootlace_delta::make::{Options, make, make_with_progress};
use bootlace_delta::{
    Applier, Error, Header, HeaderError, MAX_LEN, Memory, Method, PAGE, Step, Unreadable, WholeError,
    apply_to_vec,
};
use sha2::{Digest, Sha256};

/// Numbers that look random, the same in each run.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32
    }

    fn below(&mut self, limit: usize) -> usize {
        self.next() as usize % limit.max(1)
    }
}

/// An image that looks like code: calls, pointers to functions, RAM, constants. `seed` is the program, `edits` how
/// many functions were changed since.
fn program(seed: u64, functions: usize, edits: usize) -> Vec<u8> {
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
struct Flash<'a> {
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
fn apply(
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

fn pairs() -> Vec<(Vec<u8>, Vec<u8>)> {
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

fn methods() -> [Options; 5] {
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

#[test]
fn every_method_brings_the_target_back_in_pieces_of_any_size() {
    let mut noise = Noise(3);
    for (base, target) in pairs() {
        for options in methods() {
            let patch = make(&base, &target, &options);
            if let Some(method) = options.method {
                assert_eq!(patch.header.method, method);
            }
            let room = target.len() as u32;
            for most in [1, 2, 23, 64, 65, 4096] {
                let back = apply(&base, &patch.bytes, room, || 1 + noise.below(most));
                assert_eq!(back.unwrap().unwrap(), target);
            }
            assert_eq!(apply_to_vec(&base, &patch.bytes).unwrap(), target);
        }
    }
}

#[test]
fn images_of_any_kind_and_size_come_back() {
    let mut noise = Noise(11);
    for round in 0..300 {
        let len = noise.below(600);
        let kinds = 1 + noise.below(255);
        // Halfwords of branches are frequent, whole and torn.
        let mut base: Vec<u8> = (0..len).map(|_| noise.below(kinds) as u8).collect();
        for _ in 0..noise.below(40) {
            let place = noise.below(len);
            let half = [0xf000u16, 0xf7ff, 0xf800, 0xbfff, 0x2000, 0x0800][noise.below(6)].to_le_bytes();
            base.splice(place..place, half);
        }
        let mut target = base.clone();
        for _ in 0..noise.below(12) {
            let from = noise.below(target.len());
            let to = (from + noise.below(9)).min(target.len());
            let more: Vec<u8> = (0..noise.below(9)).map(|_| noise.next() as u8).collect();
            target.splice(from..to, more);
        }
        let method = [Method::Full, Method::Plain, Method::FullThumb, Method::Relocated][round % 4];
        let word = noise.next();
        let options = Options {
            method: (round % 5 > 0).then_some(method),
            base_address: Some(word),
            target_address: Some(word ^ noise.next() >> noise.below(32)),
            runs: noise.below(400),
        };
        let mut told = Vec::new();
        let patch = make_with_progress(&base, &target, &options, &mut |done| told.push(done));
        assert!(told.is_sorted() && told.last() == Some(&1000), "{told:?}");
        assert_eq!(
            apply_to_vec(&base, &patch.bytes).unwrap(),
            target,
            "round {round}"
        );
    }
}

#[test]
fn what_moved_costs_little() {
    let (old, new) = (program(2, 300, 0), program(2, 300, 6));
    let patch = make(&old, &new, &Options::default());
    assert_eq!(
        (patch.header.method, patch.header.base_address),
        (Method::Relocated, 0x0800_8000)
    );
    let plain = make(
        &old,
        &new,
        &Options {
            method: Some(Method::Plain),
            ..Options::default()
        },
    );
    assert!(
        patch.bytes.len() * 4 < plain.bytes.len(),
        "{} and {}",
        patch.bytes.len(),
        plain.bytes.len()
    );
    let header = Header::parse(&patch.bytes).unwrap();
    assert_eq!(header.0, patch.header);
    assert!(header.1 <= MAX_LEN && header.1 + patch.header.stream_len as usize == patch.bytes.len());
}

#[test]
fn long_matches_cost_nothing() {
    let old = vec![0x5a; 1 << 20];
    assert!(make(&old, &old, &Options::default()).bytes.len() < 50);
}

#[test]
fn another_base_is_refused() {
    let (old, new) = (program(1, 120, 0), program(1, 120, 9));
    let patch = make(&old, &new, &Options::default()).bytes;
    let refused = Err(Error::WrongBase);
    for place in (0..old.len()).step_by(97) {
        let mut other = old.clone();
        other[place] ^= 1;
        assert_eq!(apply(&other, &patch, 1 << 20, || 64), refused);
    }
    assert_eq!(apply(&old[..old.len() - 1], &patch, 1 << 20, || 64), refused);
    assert_eq!(apply(&[], &patch, 1 << 20, || 64), refused);
    assert_eq!(apply(&new, &patch, 1 << 20, || 64), refused);
}

#[test]
fn a_target_that_does_not_fit_is_refused_at_once() {
    let (old, new) = (program(1, 120, 0), program(1, 120, 9));
    let patch = make(&old, &new, &Options::default()).bytes;
    let target = new.len() as u32;
    assert_eq!(apply(&old, &patch, target - 1, || 64), Err(Error::TooLarge));
}

#[test]
fn a_patch_cut_off_anywhere_is_never_complete() {
    let (old, new) = (program(1, 40, 0), program(1, 40, 5));
    for options in methods() {
        let patch = make(&old, &new, &options).bytes;
        for len in 0..patch.len() {
            assert_eq!(apply(&old, &patch[..len], 1 << 20, || 64), Ok(None), "at {len}");
            assert_eq!(apply_to_vec(&old, &patch[..len]), Err(WholeError::Truncated));
        }
        let mut longer = patch.clone();
        longer.push(0);
        assert_eq!(apply(&old, &longer, 1 << 20, || 64), Err(Error::Surplus));
    }
}

#[test]
fn headers_that_lie() {
    let (old, new) = (program(1, 40, 0), program(1, 40, 5));
    let patch = make(&old, &new, &Options::default());
    let stream = patch.bytes[Header::parse(&patch.bytes).unwrap().1..].to_vec();
    let with = |change: &dyn Fn(&mut Header), stream: &[u8]| {
        let mut header = patch.header;
        change(&mut header);
        let mut out = [0; MAX_LEN];
        let len = header.write(&mut out);
        [&out[..len], stream].concat()
    };
    // Longer and shorter targets than the stream makes.
    let longer = with(&|header| header.target_len += 1000, &stream);
    assert!(matches!(
        apply(&old, &longer, 1 << 20, || 64),
        Ok(None | Some(_)) | Err(_)
    ));
    assert!(apply_to_vec(&old, &longer).is_err());
    let shorter = with(&|header| header.target_len -= 1000, &stream);
    assert!(apply(&old, &shorter, 1 << 20, || 64).is_err());
    // A stream that goes on for longer than it is used.
    let mut padded = stream.clone();
    padded.extend([1; 40]);
    let padded = with(&|header| header.stream_len += 40, &padded);
    assert_eq!(apply(&old, &padded, 1 << 20, || 64), Err(Error::Trailing));
    // Nothing but zeros behind the header that make as much as they are allowed to: bounded by the room.
    let tiny = with(
        &|header| (header.stream_len, header.target_len) = (0, 1 << 20),
        &[],
    );
    let _ = apply(&old, &tiny, 1 << 20, || 64);
    let huge = with(&|header| header.target_len = 1 << 29, &stream);
    assert_eq!(apply(&old, &huge, 1 << 20, || 64), Err(Error::TooLarge));
    // Sizes whose sum overflows.
    for (base, target) in [
        (u32::MAX, 1),
        (1, u32::MAX),
        (u32::MAX, u32::MAX),
        (1 << 30, 1 << 30),
        (1 << 23, u32::MAX),
    ] {
        let wild = with(
            &|header| (header.base_len, header.target_len) = (base, target),
            &stream,
        );
        assert_eq!(
            apply(&old, &wild, u32::MAX, || 64),
            Err(Error::Header(HeaderError::Malformed))
        );
    }
    let wild = with(&|header| header.ram = u32::MAX, &stream);
    assert_eq!(
        apply(&old, &wild, u32::MAX, || 64),
        Err(Error::Header(HeaderError::Malformed))
    );
    // Addresses may be anything: they cost bytes or make nonsense, which the digest tells.
    for address in [0, 1, 2, 0xffff_fff0] {
        let wild = with(
            &|header| (header.base_address, header.target_address) = (address, !address),
            &stream,
        );
        let _ = apply(&old, &wild, 1 << 20, || 64);
    }
    let other = with(&|header| header.target_digest[3] ^= 1, &stream);
    assert_eq!(apply_to_vec(&old, &other), Err(WholeError::WrongTarget));
}

#[test]
fn headers_that_make_no_sense() {
    let patch = make(b"some base", b"some target", &Options::default()).bytes;
    let parse = |place: usize, byte: u8| {
        let mut bytes = patch.clone();
        bytes[place] = byte;
        Header::parse(&bytes).map(|_| ())
    };
    assert_eq!(parse(0, 0), Err(HeaderError::Magic));
    assert_eq!(parse(2, 2), Err(HeaderError::Version(2)));
    assert_eq!(parse(4, 4), Err(HeaderError::Method(4)));
    for len in (0..=255).filter(|len| *len != patch[3]) {
        assert!(parse(3, len).is_err(), "{len}");
    }
    // One number, one way to write it.
    let mut bytes = patch.clone();
    bytes[5] |= 0x80;
    bytes.insert(6, 0);
    bytes[3] += 1;
    assert_eq!(Header::parse(&bytes), Err(HeaderError::Malformed));
    for len in 0..patch[3].into() {
        assert_eq!(Header::parse(&patch[..len]), Err(HeaderError::Incomplete));
    }
}

#[test]
fn memory_that_cannot_be_read_ends_the_patch() {
    struct Broken;
    impl Memory for Broken {
        fn read_base(&mut self, _: u32, _: &mut [u8]) -> Result<(), Unreadable> {
            Err(Unreadable)
        }
        fn read_target(&mut self, _: u32, _: &mut [u8]) -> Result<(), Unreadable> {
            Err(Unreadable)
        }
    }
    let old = program(1, 40, 0);
    let patch = make(&old, &old, &Options::default()).bytes;
    let mut applier = Applier::new();
    assert_eq!(applier.step(&mut Broken), Err(Error::Stopped));
    applier.start(old.len() as u32, &Sha256::digest(&old).into(), 1 << 20);
    assert_eq!(applier.feed(&patch), Ok(patch.len()));
    assert_eq!(applier.step(&mut Broken), Err(Error::Memory));
    assert_eq!(applier.step(&mut Broken), Err(Error::Stopped));
    assert_eq!(applier.feed(&patch), Err(Error::Stopped));
}

/// Mutated patches. `DELTA_FUZZ` is how many; the seed is fixed.
#[test]
fn mutated_patches_do_no_harm() {
    let count: usize = std::env::var("DELTA_FUZZ")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(6000);
    let mut noise = Noise(77);
    let mut patches = Vec::new();
    for (base, target) in pairs() {
        for options in methods() {
            let patch = make(&base, &target, &options).bytes;
            patches.push((base.clone(), patch));
        }
    }
    let (mut errors, mut made) = (0, 0);
    for round in 0..count {
        let (base, patch) = &patches[round % patches.len()];
        let head = Header::parse(patch).unwrap();
        let mut patch = patch.clone();
        for _ in 0..1 + noise.below(4) {
            // Mostly in the stream; what is done to headers is refused early.
            let from = if noise.below(8) == 0 {
                0
            } else {
                head.1.min(patch.len() - 1)
            };
            let place = from + noise.below(patch.len() - from);
            match noise.below(6) {
                0 => patch[place] ^= 1 << noise.below(8),
                1 => patch[place] = noise.next() as u8,
                2 => patch[place] = 0xff,
                3 => patch.truncate(place.max(head.1)),
                4 => patch.insert(place, noise.next() as u8),
                _ => {
                    let other = noise.below(patch.len());
                    patch.swap(place, other);
                }
            }
            if patch.is_empty() {
                break;
            }
        }
        // The lengths agree with what was done, or nothing but them would be tested.
        if let Ok((mut header, len)) = Header::parse(&patch) {
            header.stream_len = (patch.len() - len) as u32;
            header.target_len = header.target_len.min(200_000);
            let mut out = [0; MAX_LEN];
            let written = header.write(&mut out);
            patch = [&out[..written], &patch[len..]].concat();
        }
        let piece = 1 + noise.below(80);
        match apply(base, &patch, 200_000, || piece) {
            Ok(_) => made += 1,
            Err(_) => errors += 1,
        }
    }
    // Neither all refused at the door nor nothing ever refused.
    assert!(
        errors > count / 10 && made > count / 50,
        "{errors} errors, {made} without"
    );
}

/// Streams of noise behind a good header reach what mutations of good streams do not.
#[test]
fn streams_of_noise_do_no_harm() {
    let count: usize = std::env::var("DELTA_FUZZ")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(6000);
    let mut noise = Noise(5);
    let base = program(4, 60, 0);
    for round in 0..count {
        let method = [Method::Full, Method::Plain, Method::FullThumb, Method::Relocated][round % 4];
        let mut stream: Vec<u8> = (0..noise.below(400)).map(|_| noise.next() as u8).collect();
        // Small first bytes are long runs of the likelier bit.
        if round % 3 == 0 {
            stream.iter_mut().take(3).for_each(|byte| *byte = 0);
        }
        let digest: [u8; 32] = Sha256::digest(&base).into();
        let header = Header {
            method,
            base_len: if method.has_base() { base.len() as u32 } else { 0 },
            base_digest: core::array::from_fn(|index| digest[index]),
            target_len: noise.below(20_000) as u32,
            target_digest: [0; 8],
            stream_len: stream.len() as u32,
            base_address: noise.next(),
            target_address: noise.next(),
            ram: 1024 * (noise.next() % 8193),
        };
        let mut out = [0; MAX_LEN];
        let len = header.write(&mut out);
        let _ = apply(&base, &[&out[..len], &stream].concat(), 20_000, || 33);
    }
}
