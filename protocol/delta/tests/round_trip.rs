//! What a patch makes is the target, whatever the images.
#![allow(clippy::unwrap_used)]

mod common;

use bootlace_delta::make::{Options, make, make_with_progress};
use bootlace_delta::{Header, MAX_LEN, Method, apply_to_vec};
use common::{Noise, apply, methods, pairs, program};

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

const RELOCATED: &str = "b1de012003e40934a78a06629e8cb69cc4090e6bb719b2be535b8080824000201265c026764c9821bf14796ea6fddb21a0d6\
    de308edd35ea09443d569cf26c25ba74e34991e2ef1fd05b955d333ce367aac4bed8";
const PLAIN: &str = "b1de011b01e4098801a78a06629e8cb69cc4090e6bb719b2be535bc2d330212846f23e4c685e3ccd8c125f6a664f4416cfaf\
    5777ffea5d415220bfa20834f2ddc1610e8da2ad3f5fe9419b629d6a0c4885401e19fc59769463a67ffab2d963fba583b738\
    bd2ce21aee026999bf5f8bdcf809a0c975f72d7be2200daccfeb2b0b795aaccd3830c390435006381c24a628d7f1b5a674ff\
    e1eb5b1173a4a5a0668756e54c";

/// Patches that were made once: whoever changes the format sees it here, and gives it a new version.
#[test]
fn old_patches_stay_readable() {
    let (base, target) = (program(6, 12, 0), program(6, 12, 3));
    for (method, hex) in [(Method::Relocated, RELOCATED), (Method::Plain, PLAIN)] {
        let bytes: Vec<u8> = (0..hex.len() / 2)
            .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        assert_eq!(Header::parse(&bytes).unwrap().0.method, method);
        assert_eq!(apply_to_vec(&base, &bytes).unwrap(), target);
    }
}
