//! Images made by imgtool are read as imgtool meant them.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use bootlace_image::builder::SigningKey;
use bootlace_image::{
    Algorithm, Digest, Flags, Image, KeyError, OtherKey, PublicKey, Refusal, Signer, TlvKind, Version,
};

use common::{ed25519, golden, p256, verify};

// The page runs this crate, so a browser runs its tests as well.
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_field_is_found() {
    let mut source = &include_bytes!("data/p256.bin")[..];
    let image = Image::read(&mut source).unwrap();
    let header = image.header();
    assert_eq!(
        header.version,
        Version {
            major: 1,
            minor: 2,
            revision: 3,
            build: 4
        }
    );
    assert_eq!(
        (header.header_size, header.image_size, header.protected_size),
        (32, 64, 0x34)
    );
    assert_eq!((header.flags, header.load_addr), (Flags::default(), 0));
    assert_eq!(
        (image.covered_len(), image.total_len() as usize),
        (0x94, source.len())
    );
    assert_eq!(image.security_counter(), Some(7));
    // uuid5(DNS, "example.org"), and uuid5(that, "board-a").
    assert_eq!(hex(&image.vid().unwrap()), "aad036818b63530489e08ca8f49461b5");
    assert_eq!(hex(&image.cid().unwrap()), "3e9829f3426a5d03ac1191c05a531b04");
    assert_eq!(image.reset_vector(&mut source).unwrap(), 0x0800_8101);
    // As `imgtool dumpinfo` prints it.
    let carried = image.hash(&mut source).unwrap();
    assert_eq!(
        hex(carried.as_bytes()),
        "eaf7d1f42a324d7546 0ce76bf6725435669ff0de6102c8665f72db34ed797937".replace(' ', "")
    );
    assert_eq!(image.digest(&mut source).unwrap(), carried);
    let kinds: Vec<_> = image
        .tlvs(&mut source)
        .map(|tlv| tlv.unwrap())
        .map(|tlv| (tlv.kind, tlv.protected))
        .collect();
    let expected = [
        (TlvKind::SEC_CNT, true),
        (TlvKind::UUID_VID, true),
        (TlvKind::UUID_CID, true),
        (TlvKind::SHA256, false),
        (TlvKind::KEYHASH, false),
        (TlvKind::ECDSA, false),
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn every_signed_image_verifies_with_its_key_only() {
    for image in golden() {
        let verified =
            verify(image.bytes, &[image.key]).unwrap_or_else(|error| panic!("{}: {error:?}", image.name));
        assert_eq!(
            (verified.key, verified.key_hash),
            (0, image.key.hash()),
            "{}",
            image.name
        );
        let other = if image.key == p256() { ed25519() } else { p256() };
        assert!(verify(image.bytes, &[other]).is_err(), "{}", image.name);
        assert_eq!(
            verify(image.bytes, &[other, image.key]).unwrap().key,
            1,
            "{}",
            image.name
        );
        assert!(verify(image.bytes, &[]).is_err(), "{}", image.name);
    }
    assert!(verify(include_bytes!("data/unsigned.bin"), &[p256(), ed25519()]).is_err());
}

#[test]
fn padding_behind_an_image_does_not_matter() {
    for image in golden() {
        let mut padded = image.bytes.to_vec();
        padded.resize(4096, 0xff);
        assert!(verify(&padded, &[image.key]).is_ok(), "{}", image.name);
    }
}

#[test]
fn signers_are_named_by_key_hash() {
    let signers = |bytes: &'static [u8]| {
        let mut source = bytes;
        let image = Image::read(&mut source).unwrap();
        let found: Vec<_> = image
            .signatures(&mut source)
            .map(|signature| signature.unwrap().signer)
            .collect();
        found
    };
    let by_p256 = [Signer::Key(Digest::Sha256(p256().hash()))];
    // imgtool's own KEYHASH, as `dumpinfo` prints it.
    assert_eq!(
        hex(&p256().hash()),
        "5e219554bc3d532b2dd7ba883b632993e64866ba1d2cb0e65bcab0366a86c4c6"
    );
    assert_eq!(signers(include_bytes!("data/p256.bin")), by_p256);
    assert_eq!(signers(include_bytes!("data/full-key.bin")), by_p256);
    assert_eq!(
        signers(include_bytes!("data/pure.bin")),
        [Signer::Key(Digest::Sha512(ed25519().hash_sha512()))]
    );
    assert_eq!(signers(include_bytes!("data/unsigned.bin")), []);
}

#[test]
fn keys_are_read_in_their_encodings() {
    for (algorithm, public, private) in [
        (Algorithm::P256, p256(), include_str!("data/p256.pem")),
        (Algorithm::Ed25519, ed25519(), include_str!("data/ed25519.pem")),
    ] {
        assert_eq!(public.algorithm(), algorithm);
        assert_eq!(PublicKey::from_parts(algorithm, public.bytes()), Ok(public));
        assert_eq!(PublicKey::from_pem(private), Err(KeyError::PrivateKey));
        assert_eq!(SigningKey::from_pem(private).unwrap().public(), public);
        assert!(!public.is_development_key());
    }
    assert_eq!(
        PublicKey::from_parts(Algorithm::P256, &[4; 64]),
        Err(KeyError::Damaged)
    );
    assert_eq!(
        PublicKey::from_parts(Algorithm::P256, &[2; 65]),
        Err(KeyError::Damaged)
    );
    assert_eq!(PublicKey::from_pem("hello"), Err(KeyError::NoKey));
    let cut = include_str!("data/p256.pub.pem").replace("MFkw", "MFkw====");
    assert_eq!(PublicKey::from_pem(&cut), Err(KeyError::Damaged));
}

#[test]
fn one_key_is_read_from_every_form_that_it_has() {
    let plain = include_str!("data/p256.pub.pem");
    for pem in [
        plain,
        include_str!("data/p256-compressed.pub.pem"),
        include_str!("data/p256-explicit.pub.pem"),
        &format!("# our release key\nsubject=CN = somebody\n{plain}\nmore\n"),
    ] {
        assert_eq!(PublicKey::from_pem(pem), Ok(p256()), "{pem}");
    }
}

#[test]
fn a_point_beside_its_curve_is_a_damaged_key() {
    let pem = include_str!("data/p256.pub.pem");
    let (at, _) = pem.match_indices("==").next().unwrap_or((pem.len() - 40, ""));
    let mut altered = pem.to_owned();
    altered.replace_range(
        at - 3..at - 2,
        if &pem[at - 3..at - 2] == "A" { "B" } else { "A" },
    );
    assert_eq!(PublicKey::from_pem(&altered), Err(KeyError::Damaged));
}

#[test]
fn what_is_no_key_for_images_is_named() {
    let of = |label: &str, body: &str| {
        PublicKey::from_pem(&format!(
            "-----BEGIN {label}-----\n{body}\n-----END {label}-----\n"
        ))
    };
    assert_eq!(of("CERTIFICATE", "MIIB"), Err(KeyError::Certificate));
    assert_eq!(of("CERTIFICATE REQUEST", "MIIB"), Err(KeyError::Certificate));
    assert_eq!(of("ENCRYPTED PRIVATE KEY", "MIIB"), Err(KeyError::PrivateKey));
    assert_eq!(of("PGP SIGNATURE", "MIIB"), Err(KeyError::NoKey));
    // X25519 encrypts; P-384 and RSA-1024 are not taken.
    let x25519 = [
        &[
            0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x03, 0x21, 0x00,
        ][..],
        &[7; 32],
    ]
    .concat();
    assert_eq!(
        PublicKey::from_der(&x25519),
        Err(KeyError::Unsupported(OtherKey::X25519))
    );
    let rsa = [
        &[0x30, 0x81, 0x89, 0x02, 0x81, 0x81, 0x00][..],
        &[0xAB; 128],
        &[2, 3, 1, 0, 1],
    ]
    .concat();
    assert_eq!(
        PublicKey::from_der(&rsa),
        Err(KeyError::Unsupported(OtherKey::Rsa { bits: 1024 }))
    );
    // Versions come first in private keys, and a certificate's version in its first part.
    assert_eq!(
        PublicKey::from_der(&[0x30, 3, 2, 1, 0]),
        Err(KeyError::PrivateKey)
    );
    assert_eq!(
        PublicKey::from_der(&[0x30, 7, 0x30, 5, 0xa0, 3, 2, 1, 2]),
        Err(KeyError::Certificate)
    );
    assert_eq!(
        PublicKey::from_der(&[0x30, 0x82, 1, 0, 2]),
        Err(KeyError::Damaged)
    );
    assert_eq!(PublicKey::from_der(&[]), Err(KeyError::NoKey));
}

#[test]
fn imgtools_rsa_signatures_verify() {
    for (algorithm, pem, image) in [
        (
            Algorithm::Rsa2048,
            include_str!("data/rsa2048.pub.pem"),
            &include_bytes!("data/rsa2048.bin")[..],
        ),
        (
            Algorithm::Rsa3072,
            include_str!("data/rsa3072.pub.pem"),
            include_bytes!("data/rsa3072.bin"),
        ),
    ] {
        let key = PublicKey::from_pem(pem).unwrap();
        assert_eq!(key.algorithm(), algorithm);
        assert_eq!(PublicKey::from_der(key.bytes()), Ok(key));
        assert_eq!(PublicKey::from_parts(algorithm, key.bytes()), Ok(key));
        let verified = verify(image, &[p256(), key]).unwrap();
        assert_eq!((verified.key, verified.key_hash), (1, key.hash()));
        let mut altered = image.to_vec();
        *altered.last_mut().unwrap() ^= 1;
        assert_eq!(
            verify(&altered, &[key]),
            Err(Refusal::BadSignature { key_hash: key.hash() }.into())
        );
        assert_eq!(
            verify(image, &[p256()]),
            Err(Refusal::UnknownSigner {
                key_hash: Some(key.hash())
            }
            .into())
        );
    }
}

/// RFC 6979 gives a signature to compare with, and imgtool signs with a random nonce: verify ours as imgtool's are.
#[test]
fn what_the_builder_signs_verifies() {
    for pem in [include_str!("data/p256.pem"), include_str!("data/ed25519.pem")] {
        let key = SigningKey::from_pem(pem).unwrap();
        // Lengths around the chunk; some signatures among these have short numbers.
        for len in [0, 1, 200, 223, 224, 225, 480, 1000] {
            let bytes = bootlace_image::builder::ImageBuilder::new(vec![0x5a; len])
                .header_size(32)
                .sign(&key)
                .build();
            assert!(verify(&bytes, &[key.public()]).is_ok(), "{len}");
        }
    }
}
