//! Power cuts before, in and after flash operations: a small version of the full sweep.
#![allow(missing_docs, clippy::unwrap_used)]

use bootlace_image::Algorithm;
use bootlace_tests::cuts::{Geometry, Scenario, Sweep};

const TINY: Geometry = Geometry {
    page: 1024,
    write: 4,
    slots: (6, 6),
    state: 1024,
    error_correction: false,
};

fn all(geometry: &Geometry, stride: u64) {
    let mut points = 0;
    for scenario in Scenario::ALL {
        let count = Sweep {
            stride,
            ..Sweep::new(*geometry, scenario)
        }
        .run()
        .unwrap();
        assert!(count.points > 0, "{scenario:?} has no flash operation");
        points += count.points;
    }
    println!("{points} points, 0 bricks: {geometry:?}");
}

#[test]
fn small_pages_in_words() {
    all(&TINY, 1);
}

#[test]
fn slots_of_different_size() {
    all(
        &Geometry {
            slots: (5, 7),
            state: 512,
            ..TINY
        },
        3,
    );
}

#[test]
fn torn_words_that_cannot_be_read() {
    all(
        &Geometry {
            write: 8,
            error_correction: true,
            ..TINY
        },
        3,
    );
    all(
        &Geometry {
            write: 16,
            error_correction: true,
            page: 2048,
            state: 2048,
            ..TINY
        },
        5,
    );
}

#[test]
fn bytes_and_large_pages() {
    all(
        &Geometry {
            write: 1,
            page: 4096,
            slots: (4, 5),
            ..TINY
        },
        5,
    );
}

#[test]
fn the_power_goes_again_during_recovery() {
    let mut points = 0;
    for scenario in Scenario::ALL {
        let sweep = Sweep {
            stride: 9,
            again: 6,
            seed: 1,
            ..Sweep::new(TINY, scenario)
        };
        points += sweep.run().unwrap().points;
    }
    assert!(points > 1000, "{points} points");
}

#[test]
fn patches_that_go_on_behind_the_last_mark() {
    let geometry = Geometry {
        slots: (24, 25),
        ..TINY
    };
    for (scenario, stride) in [(Scenario::Patch, 7), (Scenario::ResumedPatch, 3)] {
        let sweep = Sweep {
            stride,
            algorithm: Algorithm::Ed25519,
            ..Sweep::new(geometry, scenario)
        };
        assert!(sweep.run().unwrap().points > 30);
    }
}
