//! Images made by imgtool are read as imgtool meant them.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use bootlace_image::builder::SigningKey;
use bootlace_image::{Algorithm, Digest, Flags, Image, KeyError, PublicKey, Signer, TlvKind, Version};

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
fn keys_in_their_encodings() {
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
        Err(KeyError::Unsupported)
    );
    assert_eq!(
        PublicKey::from_parts(Algorithm::P256, &[2; 65]),
        Err(KeyError::Unsupported)
    );
    assert_eq!(PublicKey::from_pem("hello"), Err(KeyError::NotPem));
    let cut = include_str!("data/p256.pub.pem").replace("MFkw", "MFkw====");
    assert_eq!(PublicKey::from_pem(&cut), Err(KeyError::Unsupported));
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
