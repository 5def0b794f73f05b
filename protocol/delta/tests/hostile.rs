//! Whatever a patch says: no panic, no access out of range, no work without bound, no wrong base.
#![allow(clippy::unwrap_used)]

mod common;

use bootlace_delta::make::{Options, make};
use bootlace_delta::{
    Applier, Error, Header, HeaderError, MAX_LEN, Memory, Method, Unreadable, WholeError, apply_to_vec,
};
use common::{Noise, apply, methods, pairs, program};
use sha2::{Digest, Sha256};

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
fn headers_that_lie_are_refused() {
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
fn headers_that_make_no_sense_are_refused() {
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
