//! The emulated chip answers as the same code does natively and as WASM: see the simulator's test of this name.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::io::{ErrorKind, Read as _, Write as _};
use std::time::{Duration, Instant};

use bootlace_tests::qemu::{Emulator, Line, SLOTS_END, with_primary};

#[path = "../../firmware-companion/simulator/tests/common/parity.rs"]
mod parity;

#[test]
fn replies_and_flash_are_those_of_the_simulator() {
    let stream = parity::stream();
    let parity::Run {
        replies: wanted,
        answered,
        flash,
        ..
    } = parity::run(&stream);
    let board = Emulator::running(Line::Socket, &with_primary(None).unwrap()).unwrap();
    let client = board.client().unwrap();
    let mut line = client.stream();
    let start = Instant::now();
    let mut replies = Vec::new();
    line.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    for (part, answered) in stream.iter().zip(answered) {
        line.write_all(part).unwrap();
        while replies.len() < answered {
            let mut bytes = [0; 4096];
            match line.read(&mut bytes) {
                Ok(0) => break,
                Ok(len) => replies.extend_from_slice(&bytes[..len]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
                Err(error) => panic!("{error}"),
            }
        }
    }
    println!(
        "{} bytes of replies in {:.2} s",
        replies.len(),
        start.elapsed().as_secs_f32()
    );
    let differs = replies.iter().zip(&wanted).position(|(one, other)| one != other);
    assert_eq!((differs, replies.len()), (None, wanted.len()));
    // What the last bytes do to flash has no answer: far longer than that takes, on a busy machine too.
    std::thread::sleep(Duration::from_secs(3));
    board.halt().unwrap();
    let after = board.flash().unwrap();
    let differs = after[parity::FLASH_START..SLOTS_END]
        .iter()
        .zip(&flash)
        .position(|(one, other)| one != other);
    assert_eq!((differs, flash.len()), (None, SLOTS_END - parity::FLASH_START));
    assert_eq!(
        [parity::digest(&replies), parity::digest(&flash)],
        parity::DIGESTS
    );
}
