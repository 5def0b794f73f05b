//! The kept corpus of each target, without a fuzzer.
#![allow(missing_docs, clippy::unwrap_used)]

use std::path::Path;

use bootlace_fuzz_targets::{TARGETS, seeds};

#[test]
fn the_corpora_do_no_harm() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (name, target) in TARGETS {
        let mut count = 0;
        for entry in std::fs::read_dir(corpus.join(name)).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            target(&bytes);
            count += 1;
        }
        assert!(count > 5, "{name}: {count} inputs");
        println!("{name}: {count} inputs");
    }
}

#[test]
fn what_is_said_when_all_is_well_does_no_harm() {
    for (name, target) in TARGETS {
        let seeds = seeds(name);
        assert!(!seeds.is_empty(), "{name}");
        for seed in seeds {
            target(&seed);
            // And shorter, and with a bit flipped: where it begins, and where an image's signature is.
            for len in 0..seed.len().min(300) {
                target(&seed[..len]);
            }
            let last = seed.len().saturating_sub(100);
            for at in (0..seed.len().min(100)).chain(last..seed.len()) {
                let mut bad = seed.clone();
                bad[at] ^= 1 << (at % 8);
                target(&bad);
            }
        }
    }
}
