//! Each rule that refuses an image, once.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use bootlace_image::builder::{ImageBuilder, SigningKey};
use bootlace_image::{
    Algorithm, CHUNK, Error, Flags, FormatError, Header, Image, MAX_TLVS, Policy, PublicKey, Refusal,
    TlvKind, Verification,
};

use common::{p256, verify};

// The page runs this crate, so a browser runs its tests as well.
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn keys() -> [SigningKey; 2] {
    [Algorithm::P256, Algorithm::Ed25519]
        .map(|algorithm| SigningKey::from_seed(algorithm, &[0x11; 32]).unwrap())
}

fn builder() -> ImageBuilder {
    ImageBuilder::new(vec![0xa5; 300]).header_size(32)
}

fn refusal(bytes: &[u8], keys: &[PublicKey]) -> Refusal {
    match verify(bytes, keys) {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

fn malformed(bytes: &[u8]) -> FormatError {
    let mut source = bytes;
    match Image::read(&mut source) {
        Err(Error::Format(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn only_a_trusted_signature_passes() {
    for key in keys() {
        let trusted = [key.public()];
        let good = builder().sign(&key).build();
        assert!(verify(&good, &trusted).is_ok());
        assert_eq!(refusal(&builder().build(), &trusted), Refusal::Unsigned);
        assert_eq!(
            refusal(&builder().without_digest().sign(&key).build(), &trusted),
            Refusal::NoDigest
        );
        let key_hash = Some(key.public().hash());
        assert_eq!(refusal(&good, &[p256()]), Refusal::UnknownSigner { key_hash });
        assert_eq!(refusal(&good, &[]), Refusal::UnknownSigner { key_hash });

        let mut altered = good.clone();
        altered[100] ^= 1;
        assert_eq!(refusal(&altered, &trusted), Refusal::Altered);

        // Another image's signature under a good digest.
        let kind = key.public().algorithm().tlv();
        let stolen = builder()
            .unprotected(TlvKind::KEYHASH, &key.public().hash())
            .unprotected(kind, &key.sign(&[7; 32]))
            .build();
        let key_hash = key.public().hash();
        assert_eq!(refusal(&stolen, &trusted), Refusal::BadSignature { key_hash });
        for value in [&[][..], &[0; 73], &[0; 400]] {
            let odd = builder()
                .unprotected(TlvKind::KEYHASH, &key_hash)
                .unprotected(kind, value)
                .build();
            assert_eq!(refusal(&odd, &trusted), Refusal::BadSignature { key_hash });
        }

        // The right signature, but the image says a different key made it, or none.
        let digest = builder().digest();
        let renamed = builder()
            .unprotected(TlvKind::KEYHASH, &[9; 32])
            .unprotected(kind, &key.sign(&digest))
            .build();
        assert_eq!(
            refusal(&renamed, &trusted),
            Refusal::UnknownSigner {
                key_hash: Some([9; 32])
            }
        );
        let unnamed = builder().unprotected(kind, &key.sign(&digest)).build();
        assert_eq!(
            refusal(&unnamed, &trusted),
            Refusal::UnknownSigner { key_hash: None }
        );
        // A key speaks for one signature only.
        let twice = builder()
            .unprotected(TlvKind::KEYHASH, &key_hash)
            .unprotected(kind, &key.sign(&[7; 32]))
            .unprotected(kind, &key.sign(&digest))
            .build();
        assert_eq!(refusal(&twice, &trusted), Refusal::BadSignature { key_hash });
    }
}

#[test]
fn a_second_signature_counts() {
    let [p256, ed25519] = keys();
    let both = builder().sign(&p256).sign(&ed25519).build();
    assert_eq!(
        verify(&both, &[p256.public()]).unwrap().key_hash,
        p256.public().hash()
    );
    assert_eq!(
        verify(&both, &[ed25519.public()]).unwrap().key_hash,
        ed25519.public().hash()
    );
    // A key of one algorithm before a signature of the other.
    let swapped = builder()
        .unprotected(TlvKind::KEYHASH, &p256.public().hash())
        .unprotected(TlvKind::ED25519, &[0; 64])
        .build();
    assert_eq!(
        refusal(&swapped, &[p256.public()]),
        Refusal::UnsupportedSignature {
            kind: TlvKind::ED25519
        }
    );
}

/// A protected TLV moved where it can be changed at will (CVE-2024-32883).
#[test]
fn only_listed_types_stand_unprotected() {
    for key in keys() {
        let trusted = [key.public()];
        for kind in (0..0x80).chain([0xa0, 0x6907, 0xfffe]).map(TlvKind) {
            if kind.is_digest() || kind == TlvKind::SIG_PURE {
                continue;
            }
            let verdict = verify(
                &builder().sign(&key).unprotected(kind, &[1, 0, 0, 0]).build(),
                &trusted,
            );
            if kind.may_stand_unprotected() {
                assert!(verdict.is_ok(), "{kind:?}");
            } else {
                assert_eq!(verdict, Err(Refusal::UnprotectedTlv { kind }.into()), "{kind:?}");
            }
        }
        let moved = builder()
            .sign(&key)
            .unprotected(TlvKind::SEC_CNT, &[9, 0, 0, 0])
            .build();
        let mut source = &moved[..];
        assert_eq!(Image::read(&mut source).unwrap().security_counter(), None);
    }
}

#[test]
fn only_images_that_run_in_place_are_taken() {
    for key in keys() {
        let verdict = |flags| verify(&builder().flags(flags).sign(&key).build(), &[key.public()]);
        for (flags, reason) in [
            (Flags::ENCRYPTED_AES128, Refusal::Encrypted),
            (Flags::ENCRYPTED_AES256, Refusal::Encrypted),
            (Flags::COMPRESSED_LZMA1, Refusal::Compressed),
            (Flags::COMPRESSED_LZMA2, Refusal::Compressed),
            (
                Flags(Flags::COMPRESSED_LZMA2.0 | Flags::COMPRESSED_ARM_THUMB.0),
                Refusal::Compressed,
            ),
            (Flags::NON_BOOTABLE, Refusal::NonBootable),
            (Flags::RAM_LOAD, Refusal::RamLoad),
        ] {
            assert_eq!(verdict(flags), Err(reason.into()), "{flags:?}");
        }
        assert!(verdict(Flags::ROM_FIXED).is_ok());
    }
}

#[test]
fn other_digests_are_named() {
    let [key, _] = keys();
    let image = builder()
        .without_digest()
        .unprotected(TlvKind::SHA384, &[0; 48])
        .sign(&key)
        .build();
    assert_eq!(
        refusal(&image, &[key.public()]),
        Refusal::UnsupportedDigest {
            kind: TlvKind::SHA384
        }
    );
}

/// A pure signature is over the image: one over the digest does not pass for it, nor the other way round.
#[test]
fn pure_and_hashed_signatures_are_not_mixed() {
    let [p256, ed25519] = keys();
    let image = |key: &SigningKey| builder().unprotected(TlvKind::SIG_PURE, &[1]).sign(key).build();
    let key_hash = ed25519.public().hash();
    assert_eq!(
        refusal(&image(&ed25519), &[ed25519.public()]),
        Refusal::BadSignature { key_hash }
    );
    let kind = TlvKind::ECDSA;
    assert_eq!(
        refusal(&image(&p256), &[p256.public()]),
        Refusal::UnsupportedSignature { kind }
    );
    let mut pure = include_bytes!("data/pure.bin").to_vec();
    let at = pure
        .windows(5)
        .position(|bytes| bytes == [0x25, 0, 1, 0, 1])
        .unwrap();
    pure[at + 4] = 0;
    assert!(matches!(
        refusal(&pure, &[common::ed25519()]),
        Refusal::BadSignature { .. }
    ));
}

#[test]
fn published_development_keys_are_named() {
    let cases: [(&[u8], &str, &str); 2] = [
        (
            include_bytes!("data/published-p256.bin"),
            include_str!("data/published-p256.pub.pem"),
            "root-ec-p256.pem",
        ),
        (
            include_bytes!("data/published-ed25519.bin"),
            include_str!("data/published-ed25519.pub.pem"),
            "root-ed25519.pem",
        ),
    ];
    for (bytes, pem, name) in cases {
        let key = PublicKey::from_pem(pem).unwrap();
        let key_hash = key.hash();
        assert_eq!(bootlace_image::development_key(&key_hash), Some(name));
        assert!(key.is_development_key());
        assert_eq!(refusal(bytes, &[key]), Refusal::DevelopmentKey { key_hash });
        // Asked for, it is a key like any other.
        let mut source = bytes;
        let image = Image::read(&mut source).unwrap();
        let desk = Policy {
            allow_development_keys: true,
        };
        assert_eq!(
            image.verify(&mut source, &[key], &desk).unwrap().key_hash,
            key_hash
        );
        assert!(image.verify(&mut source, &[p256()], &desk).is_err());
    }
    // This repository's own.
    let demo = include_str!("../../../firmware-companion/boards/keys/demo.pub.pem");
    let demo = PublicKey::from_pem(demo).unwrap().hash();
    assert_eq!(bootlace_image::development_key(&demo), Some("demo.pem"));
    // Of algorithms that are not verified: root-rsa-2048.pem.
    let rsa = [
        0xa1, 0x4b, 0xcb, 0x1b, 0xf9, 0xbb, 0x82, 0x11, 0x46, 0xba, 0x32, 0x83, 0x82, 0x17, 0xe4, 0x76, 0xf5,
        0x41, 0x26, 0x21, 0x32, 0x05, 0x34, 0xff, 0xe4, 0x90, 0xa1, 0x89, 0x0c, 0x99, 0x46, 0x60,
    ];
    assert_eq!(bootlace_image::development_key(&rsa), Some("root-rsa-2048.pem"));
    assert_eq!(bootlace_image::development_key(&[0; 32]), None);
}

#[test]
fn malformed_images_are_named() {
    let [key, _] = keys();
    let good = builder().security_counter(1).sign(&key).build();
    assert_eq!(malformed(b""), FormatError::NotAnImage { magic: 0 });
    assert_eq!(
        malformed(&[0x7f; 100]),
        FormatError::NotAnImage { magic: 0x7f7f_7f7f }
    );
    assert_eq!(
        malformed(&good[..20]),
        FormatError::Truncated {
            needed: 32,
            available: 20
        }
    );
    assert_eq!(
        malformed(&good[..300]),
        FormatError::Truncated {
            needed: 336,
            available: 300
        }
    );
    let (whole, cut) = (good.len(), good.len() - 1);
    assert_eq!(
        malformed(&good[..cut]),
        FormatError::Truncated {
            needed: whole as u64,
            available: cut as u32
        }
    );

    let edit = |at: usize, bytes: &[u8]| {
        let mut edited = good.clone();
        edited[at..at + bytes.len()].copy_from_slice(bytes);
        edited
    };
    assert_eq!(
        malformed(&edit(8, &[31, 0])),
        FormatError::HeaderSize { size: 31 }
    );
    assert_eq!(
        malformed(&edit(10, &[13, 0])),
        FormatError::ProtectedSize { header: 13, area: 12 }
    );
    assert_eq!(
        malformed(&edit(12, &[0xff; 4])),
        FormatError::Truncated {
            needed: 0x1_0000_0023,
            available: whole as u32
        }
    );
    assert_eq!(malformed(&edit(332, &[0, 0])), FormatError::TlvMagic { found: 0 });
    assert_eq!(
        malformed(&edit(334, &[3, 0])),
        FormatError::TlvOverrun { offset: 332 }
    );
    // The security counter's length: past its area, or short.
    assert_eq!(
        malformed(&edit(338, &[5, 0])),
        FormatError::TlvOverrun { offset: 336 }
    );
    assert_eq!(
        malformed(&edit(338, &[0, 0])),
        FormatError::TlvLength {
            kind: TlvKind::SEC_CNT,
            len: 0
        }
    );
    let unprotected = builder().sign(&key).build();
    let mut claimed = unprotected.clone();
    claimed[10] = 12;
    assert_eq!(
        malformed(&claimed),
        FormatError::ProtectedSize { header: 12, area: 0 }
    );

    for kind in [TlvKind::SEC_CNT, TlvKind::UUID_VID, TlvKind::UUID_CID] {
        let value = &[1; 16][..if kind == TlvKind::SEC_CNT { 4 } else { 16 }];
        let twice = builder()
            .protected(kind, value)
            .protected(kind, value)
            .sign(&key)
            .build();
        assert_eq!(malformed(&twice), FormatError::DuplicateTlv { kind });
    }
    let twice = builder()
        .unprotected(TlvKind::SHA256, &[0; 32])
        .sign(&key)
        .build();
    assert_eq!(
        malformed(&twice),
        FormatError::DuplicateTlv {
            kind: TlvKind::SHA256
        }
    );
    let mut empty = &ImageBuilder::new(vec![0; 7]).without_digest().build()[..];
    let image = Image::read(&mut empty).unwrap();
    assert_eq!(
        image.reset_vector(&mut empty),
        Err(Error::Format(FormatError::Truncated {
            needed: 8,
            available: 7
        }))
    );
    assert_eq!(usize::from(image.header().header_size), 0x200);
    assert_eq!(Header::LEN, 32);
    assert_eq!(
        image.verify(&mut empty, &[], &Policy::default()),
        Err(Refusal::NoDigest.into())
    );
}

/// Decoys stand before the genuine signature, outside the digest: each would take a small board a second, at every start.
#[test]
fn a_second_signature_by_the_same_key_is_refused_in_any_order() {
    for key in keys() {
        let (key_hash, kind) = (key.public().hash(), key.public().algorithm().tlv());
        let digest = builder().digest();
        let (good, decoy) = (key.sign(&digest), key.sign(&[7; 32]));
        for values in [[&good, &decoy], [&decoy, &good], [&good, &good]] {
            let twice = values.iter().fold(builder(), |builder, value| {
                builder
                    .unprotected(TlvKind::KEYHASH, &key_hash)
                    .unprotected(kind, value)
            });
            assert_eq!(
                refusal(&twice.build(), &[key.public()]),
                Refusal::RepeatedSigner { key_hash }
            );
        }
    }
}

/// One key has several names: the hash of either length, and the whole key. A decoy may bear another one than the signature.
#[test]
fn a_second_signature_is_found_by_whatever_name_it_gives_the_key() {
    const P256_PREFIX: [u8; 26] = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
        0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
    ];
    const ED25519_PREFIX: [u8; 12] = [
        0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
    ];
    for (key, prefix) in keys().iter().zip([&P256_PREFIX[..], &ED25519_PREFIX]) {
        let public = key.public();
        let (key_hash, kind) = (public.hash(), public.algorithm().tlv());
        let names = [
            (TlvKind::KEYHASH, key_hash.to_vec()),
            (TlvKind::KEYHASH, public.hash_sha512().to_vec()),
            (TlvKind::PUBKEY, [prefix, public.bytes()].concat()),
        ];
        let good = key.sign(&builder().digest());
        for (name, value) in &names {
            let once = builder()
                .unprotected(*name, value)
                .unprotected(kind, &good)
                .build();
            assert!(
                verify(&once, &[public]).is_ok(),
                "{name:?}, {} bytes",
                value.len()
            );
            for (decoy, as_decoy) in &names {
                let twice = builder()
                    .unprotected(*decoy, as_decoy)
                    .unprotected(kind, &key.sign(&[7; 32]))
                    .unprotected(*name, value)
                    .unprotected(kind, &good)
                    .build();
                assert_eq!(
                    refusal(&twice, &[public]),
                    Refusal::RepeatedSigner { key_hash },
                    "{decoy:?} of {} bytes before {name:?} of {}",
                    as_decoy.len(),
                    value.len()
                );
            }
        }
    }
}

/// Whatever stands in an image, a check takes no more steps than its digest, its TLVs and the verifier's keys explain.
#[test]
fn the_steps_of_a_check_are_bounded_by_the_keys_and_not_by_the_signatures() {
    let [p256, ed25519] = keys();
    let many = (0..60u8).fold(builder(), |builder, number| {
        builder
            .unprotected(TlvKind::KEYHASH, &[number; 32])
            .unprotected(TlvKind::ECDSA, &p256.sign(&[number; 32]))
    });
    let many = many.sign(&ed25519).build();
    let keys = [p256.public(), ed25519.public()];
    let mut source = many.as_slice();
    let image = Image::read(&mut source).unwrap();
    let mut verification = Verification::new();
    verification.begin(&image).unwrap();
    let policy = Policy::default();
    let mut steps = 0;
    let trusted = loop {
        steps += 1;
        if let Some(trusted) = verification.step(&image, &mut source, &keys, &policy).unwrap() {
            break trusted;
        }
    };
    assert!(trusted);
    let hashed = image.covered_len().div_ceil(CHUNK as u32);
    let tlvs = image.tlvs(&mut source).count() as u32;
    // Each key's signatures are counted, each key is tried once, and each walk has an end.
    assert!(steps <= hashed + 3 * (tlvs + 1) + 3, "{steps} steps, {tlvs} TLVs");
    assert!(size_of::<Verification>() <= 800, "{}", size_of::<Verification>());
}

#[test]
fn more_tlvs_than_any_image_needs_are_refused() {
    let with = |count: u16| {
        // The digest is one as well.
        let image = (1..count).fold(builder(), |builder, _| {
            builder.unprotected(TlvKind::KEYHASH, &[1; 32])
        });
        Image::read(&mut image.build().as_slice()).err()
    };
    assert_eq!(with(MAX_TLVS), None);
    assert_eq!(
        with(MAX_TLVS + 1),
        Some(Error::Format(FormatError::TooManyTlvs { most: MAX_TLVS }))
    );
}
