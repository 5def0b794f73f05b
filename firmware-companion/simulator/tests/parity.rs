//! Fifty thousand bytes of requests and rubbish: the same answers and the same flash on every machine.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "common/parity.rs"]
mod parity;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn replies_and_flash_are_those_of_the_chip() {
    let parity::Run {
        replies, flash, good, ..
    } = parity::run(&parity::stream());
    println!("{} bytes of replies, {good} good images", replies.len());
    assert!(
        good > 1,
        "an image sent as it is and one that a patch makes: {good}"
    );
    assert_eq!(
        [parity::digest(&replies), parity::digest(&flash)],
        parity::DIGESTS,
        "if the board's answers were meant to change, these go into DIGESTS"
    );
}
