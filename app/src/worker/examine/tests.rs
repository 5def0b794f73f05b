use bootlace_engine::FileKind;
use bootlace_image::builder::{ImageBuilder, SigningKey};
use bootlace_image::{Algorithm, Unstartable, Version};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(Algorithm::Ed25519, &[seed; 32]).unwrap()
}

fn signed(by: &SigningKey) -> Vec<u8> {
    let version = Version {
        major: 2,
        minor: 1,
        revision: 0,
        build: 0,
    };
    ImageBuilder::new(vec![0; 300])
        .version(version)
        .security_counter(7)
        .cid([0x11; 16])
        .sign(by)
        .build()
}

fn trusting(keys: &[&SigningKey]) -> Trust {
    Trust {
        keys: keys.iter().map(|key| key.public()).collect(),
        development: false,
    }
}

fn info(file: &[u8], trust: &Trust, named: &[PublicKey]) -> ImageInfo {
    examine("a.bin", &CheckedImage::new(file.to_vec()).unwrap(), trust, named)
}

fn verdict(file: &[u8], trust: &Trust, named: &[PublicKey]) -> Verdict {
    info(file, trust, named).verdict
}

#[test]
fn only_a_key_that_the_person_added_makes_an_image_trusted() {
    let file = signed(&key(1));
    let public = key(1).public();
    assert_eq!(
        verdict(&file, &trusting(&[&key(1)]), &[]),
        Verdict::Trusted(public)
    );
    // A board that names the signer vouches for itself only.
    assert_eq!(
        verdict(&file, &Trust::default(), &[public]),
        Verdict::NamedByBoard(public)
    );
}

#[test]
fn keys_that_the_person_added_restrict_what_a_board_names() {
    let file = signed(&key(1));
    let unchecked = Verdict::Unchecked {
        key_hash: Some(key(1).public().hash()),
    };
    assert_eq!(
        verdict(&file, &trusting(&[&key(2)]), &[key(1).public()]),
        unchecked
    );
    let own = trusting(&[&key(2)]);
    assert_eq!(options(&own).keys, own.keys);
    assert!(
        options(&Trust::default()).keys.is_empty(),
        "the session takes the board's own"
    );
}

/// B11: one unrelated trusted key turned a good image red before a board was connected.
#[test]
fn an_unrelated_key_is_no_word_against_an_image() {
    let file = signed(&key(1));
    let unchecked = Verdict::Unchecked {
        key_hash: Some(key(1).public().hash()),
    };
    for (trust, named) in [
        (Trust::default(), vec![]),
        (trusting(&[&key(2)]), vec![]),
        (Trust::default(), vec![key(2).public()]),
    ] {
        assert_eq!(verdict(&file, &trust, &named), unchecked);
    }
}

#[test]
fn an_altered_image_is_refused_whoever_is_trusted() {
    let mut file = signed(&key(1));
    file[600] ^= 1;
    for trust in [Trust::default(), trusting(&[&key(1)])] {
        assert_eq!(
            verdict(&file, &trust, &[]),
            Verdict::Refused(Error::Refused(Refusal::Altered))
        );
    }
}

/// B10: an altered image showed the hash that it claims as if it had been computed.
#[test]
fn the_hash_that_an_altered_image_claims_is_not_shown() {
    let mut file = signed(&key(1));
    assert!(info(&file, &Trust::default(), &[]).hash.is_some());
    file[600] ^= 1;
    assert_eq!(info(&file, &Trust::default(), &[]).hash, None);
}

#[test]
fn an_empty_image_is_refused_whoever_signed_it() {
    let file = ImageBuilder::new(Vec::new()).sign(&key(1)).build();
    let empty = Error::Unstartable(Unstartable::Empty { size: 0 });
    assert_eq!(
        verdict(&file, &trusting(&[&key(1)]), &[]),
        Verdict::Refused(empty)
    );
}

#[test]
fn an_image_that_no_cortex_m_can_start_is_warned_about_before_any_board_is_known() {
    let started_at = |stack: u32, reset: u32| {
        let words = [stack, reset].into_iter().chain([0; 60]);
        let payload: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
        ImageBuilder::new(payload).sign(&key(1)).build()
    };
    let warning = |file: &[u8]| info(file, &trusting(&[&key(1)]), &[]).warning;
    assert_eq!(warning(&started_at(0x2000_4000, 0x0800_A301)), None);
    let stack = 0x0800_4000;
    let mut file = started_at(stack, 0x0800_A301);
    assert_eq!(warning(&file), Some(Unstartable::Stack { stack }));
    let reset = 0x0800_A300;
    assert_eq!(
        warning(&started_at(0x2000_4000, reset)),
        Some(Unstartable::NoThumb { reset })
    );
    // What is refused is not warned about as well.
    file[0x210] ^= 1;
    assert_eq!(warning(&file), None);
}

#[test]
fn an_image_says_what_it_is_and_other_files_that_they_are_none() {
    let info = info(&signed(&key(1)), &Trust::default(), &[]);
    assert_eq!((info.version.major, info.counter), (2, Some(7)));
    assert_eq!((info.vid, info.cid), (None, Some([0x11; 16])));
    let jpeg = b"\xff\xd8\xff\xe0 no image at all, but long enough";
    assert_eq!(
        CheckedImage::new(jpeg.to_vec()),
        Err(Error::WrongFile(FileKind::Document))
    );
    assert!(matches!(
        CheckedImage::new(b"\x01\x02\x03 nothing that has a name".to_vec()),
        Err(Error::Image(bootlace_image::FormatError::NotAnImage { .. }))
    ));
}
