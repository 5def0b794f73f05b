//! Flipped bits, garbage and failing flash: no panic, and never a wrong yes.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use bootlace_image::builder::{ImageBuilder, SigningKey};
use bootlace_image::trailer::{Trailer, TrailerLayout};
use bootlace_image::{Algorithm, Error, Image, Policy, PublicKey, Source};

use common::{Random, ed25519, golden, p256, verify};

#[test]
fn every_flipped_bit_is_refused() {
    for image in golden() {
        assert!(verify(image.bytes, &[image.key]).is_ok());
        for bit in 0..image.bytes.len() * 8 {
            let mut flipped = image.bytes.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let verdict = verify(&flipped, &[p256(), ed25519()]);
            assert!(verdict.is_err(), "{}: bit {bit}", image.name);
        }
    }
}

#[test]
fn every_truncation_is_refused() {
    for image in golden() {
        for len in 0..image.bytes.len() {
            assert!(
                verify(&image.bytes[..len], &[image.key]).is_err(),
                "{}: {len} bytes",
                image.name
            );
        }
    }
}

/// Calls everything there is; says whether the image was trusted.
fn exercise<S: Source>(source: &mut S, keys: &[PublicKey]) -> bool {
    for align in [8, 16, 32] {
        let layout = TrailerLayout::new(align).unwrap();
        let _ = Trailer::read(layout, source);
        Trailer::read_lenient(layout, source);
    }
    let Ok(image) = Image::read(source) else {
        return false;
    };
    assert!(image.total_len() <= source.len());
    let entries = image.tlvs(source).count();
    assert!(entries <= source.len() as usize / 4);
    let _ = (
        image.signatures(source).count(),
        image.hash(source),
        image.reset_vector(source),
    );
    image.verify(source, keys, &Policy::default()).is_ok()
}

#[test]
fn mutated_images_never_panic_nor_pass() {
    let keys = [p256(), ed25519()];
    let golden = golden();
    let mut random = Random(1);
    for round in 0..40_000 {
        let original = &golden[random.below(golden.len())];
        let mut bytes = original.bytes.to_vec();
        for _ in 0..=random.below(4) {
            let at = random.below(bytes.len());
            match random.below(5) {
                0 => bytes[at] = random.next() as u8,
                1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random.below(5)],
                2 => bytes.truncate(at.max(1)),
                3 => bytes.insert(at, random.next() as u8),
                _ => {
                    let other = golden[random.below(golden.len())].bytes;
                    let from = random.below(other.len());
                    let len = random.below(40).min(other.len() - from).min(bytes.len() - at);
                    bytes[at..at + len].copy_from_slice(&other[from..from + len]);
                }
            }
        }
        let mut source = &bytes[..];
        if exercise(&mut source, &keys) {
            // Only what lies outside image or signature may differ: appended bytes, a copy of itself.
            let covered = |mut source: &[u8]| {
                let whole = source;
                Image::read(&mut source)
                    .map(|image| whole[..image.covered_len() as usize].to_vec())
                    .unwrap()
            };
            let signed = golden.iter().any(|image| covered(image.bytes) == covered(&bytes));
            assert!(signed, "round {round}: {bytes:02x?}");
        }
    }
}

#[test]
fn arbitrary_bytes_never_panic() {
    let mut random = Random(2);
    for _ in 0..40_000 {
        let mut bytes: Vec<u8> = (0..random.below(200)).map(|_| random.next() as u8).collect();
        // Most of them get past the first check, some past the next.
        if let Some(header) = bytes.get_mut(..32).filter(|_| random.below(8) > 0) {
            header[..4].copy_from_slice(&0x96f3_b83du32.to_le_bytes());
            header[8..16].fill(0);
            header[8] = 32;
            header[12] = random.below(100) as u8;
            let tlvs = 32 + usize::from(header[12]);
            if let Some(area) = bytes.get_mut(tlvs..tlvs + 4) {
                area.copy_from_slice(&[7 + random.below(2) as u8, 0x69, random.below(100) as u8, 0]);
            }
        }
        let mut source = &bytes[..];
        assert!(!exercise(&mut source, &[p256()]));
    }
}

/// Fails at its `left`-th read, and at every one after it.
struct Failing<'b> {
    bytes: &'b [u8],
    left: usize,
}

impl Source for Failing<'_> {
    type Error = usize;

    fn len(&self) -> u32 {
        Source::len(&self.bytes)
    }

    fn read(&mut self, offset: u32, out: &mut [u8]) -> Result<(), usize> {
        assert!(out.len() <= bootlace_image::CHUNK);
        self.left = self.left.checked_sub(1).ok_or(7usize)?;
        self.bytes.read(offset, out).map_err(|_| 8)
    }
}

#[test]
fn a_read_that_fails_is_reported_as_such() {
    let key = SigningKey::from_seed(Algorithm::Ed25519, &[3; 32]).unwrap();
    let made = ImageBuilder::new(vec![1; 3000])
        .security_counter(1)
        .vid([1; 16])
        .sign(&key)
        .build();
    let images = golden()
        .into_iter()
        .map(|image| (image.bytes.to_vec(), image.key))
        .chain([(made, key.public())]);
    for (bytes, key) in images {
        let mut reads = 0;
        loop {
            let mut source = Failing {
                bytes: &bytes,
                left: reads,
            };
            let verdict = Image::read(&mut source)
                .and_then(|image| image.verify(&mut source, &[key], &Policy::default()).map(|_| ()));
            if verdict.is_ok() {
                break;
            }
            assert_eq!(verdict, Err(Error::Source(7)), "after {reads} reads");
            reads += 1;
        }
        assert!(reads > 5);
        exercise(
            &mut Failing {
                bytes: &bytes,
                left: reads / 2,
            },
            &[key],
        );
    }
}
