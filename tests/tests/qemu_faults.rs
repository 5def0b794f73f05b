//! Skipped instructions on the board's unmodified binary: a sample of what `cargo xtask faults` tries.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use bootlace_tests::faults::{End, Faults, Times, Window, windows};
use bootlace_tests::qemu::Signing;
use bootlace_tests::sweep::sweep;

/// One of so many faults is tried here.
const EVERY: usize = 97;

#[test]
fn no_skipped_instruction_starts_an_image_without_a_good_signature() {
    // A fault at a signature's beginning takes a quarter of a second: those are left to the command.
    for window in windows().into_iter().filter(|window| window.turns.is_none()) {
        let swept = sweep(window, EVERY).unwrap();
        println!(
            "{}: {} of {} faults hang the board",
            window.name, swept.hangs, swept.skips
        );
        assert!(swept.skips > 10 && swept.hangs * 4 < swept.skips);
        assert_eq!(swept.boots, [], "{}", window.name);
    }
}

#[test]
fn an_image_that_starts_is_seen_to_start() {
    let missing = windows()[0];
    let skips = Faults::new(missing).unwrap().skips().unwrap();
    let good = Window {
        signing: Signing::Good,
        ..missing
    };
    let mut board = Faults::new(good).unwrap();
    let once = skips.into_iter().filter(|skip| skip.times == Times::Nth(1));
    let ends: Vec<End> = once.step_by(199).map(|skip| board.run(skip).unwrap()).collect();
    let starts = ends.iter().filter(|end| **end == End::Boots).count();
    assert!(starts > 0 && ends.contains(&End::Serves), "{ends:?}");
}
