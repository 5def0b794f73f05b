//! What the tests share: images that imgtool made, and a seeded source of numbers.
#![allow(dead_code, clippy::unwrap_used)]

use bootlace_image::{Error, Image, OutOfRange, Policy, PublicKey, Verified};

/// An image of `data/`, with the key that signed it.
pub(crate) struct Golden {
    pub(crate) name: &'static str,
    pub(crate) bytes: &'static [u8],
    pub(crate) key: PublicKey,
}

pub(crate) fn p256() -> PublicKey {
    PublicKey::from_pem(include_str!("../data/p256.pub.pem")).unwrap()
}

pub(crate) fn ed25519() -> PublicKey {
    PublicKey::from_pem(include_str!("../data/ed25519.pub.pem")).unwrap()
}

/// Every signed image of `data/`.
pub(crate) fn golden() -> Vec<Golden> {
    vec![
        Golden {
            name: "p256",
            bytes: include_bytes!("../data/p256.bin"),
            key: p256(),
        },
        Golden {
            name: "full-key",
            bytes: include_bytes!("../data/full-key.bin"),
            key: p256(),
        },
        Golden {
            name: "plain",
            bytes: include_bytes!("../data/plain.bin"),
            key: p256(),
        },
        Golden {
            name: "ed25519",
            bytes: include_bytes!("../data/ed25519.bin"),
            key: ed25519(),
        },
        Golden {
            name: "pure",
            bytes: include_bytes!("../data/pure.bin"),
            key: ed25519(),
        },
        Golden {
            name: "sha512",
            bytes: include_bytes!("../data/sha512.bin"),
            key: ed25519(),
        },
    ]
}

pub(crate) fn verify(bytes: &[u8], keys: &[PublicKey]) -> Result<Verified, Error<OutOfRange>> {
    let mut source = bytes;
    let image = Image::read(&mut source)?;
    image.verify(&mut source, keys, &Policy::default())
}

/// SplitMix64: small, and the same everywhere.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}
