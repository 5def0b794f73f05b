//! A board under test, how it is asked, and that it answers.

use bootlace_loader::Setup;
use bootlace_smp::Request;
use bootlace_smp::bootlace::{self, Role};
use bootlace_tests::rp2040::{Factory, Function, Pico, setup};

pub(crate) const GET_DESCRIPTOR: u8 = 6;
/// `wValue` of [`GET_DESCRIPTOR`].
pub(crate) const DEVICE: u16 = 0x100;
pub(crate) const CONFIGURATION: u16 = 0x200;
/// Of the serial port's own requests.
pub(crate) const SET_LINE_CODING: Setup = setup(0x21, 0x20, 0, 0);
pub(crate) const GET_LINE_CODING: Setup = setup(0xA1, 0x21, 0, 0);
/// The longest that a good host may wait for the board: milliseconds of the board's time.
const LONGEST: f64 = 1000.0;
pub(crate) const BOTH: [Function; 2] = [Function::Serial, Function::Vendor];

pub(crate) fn board() -> Pico {
    let pico = Pico::running(&Factory::new().unwrap().flash(None).unwrap()).unwrap();
    pico.info().unwrap();
    pico
}

/// That the board answers a good host on both functions.
pub(crate) fn answers(pico: &Pico, after: &str) {
    for function in BOTH {
        answers_on(pico, function, after);
    }
}

/// That the board answers a good host on this function within [`LONGEST`].
pub(crate) fn answers_on(pico: &Pico, function: Function, after: &str) {
    pico.slowest_answer(function).unwrap();
    let role = pico.client(function).unwrap().describe_when_up(|it| it.role);
    assert_eq!(role.ok(), Some(Role::Bootloader), "{function:?} after {after}");
    let took = pico.slowest_answer(function).unwrap().expect("an answer");
    assert!(took < LONGEST, "{function:?} after {after}: {took} ms");
}

pub(crate) fn get(pico: &Pico, value: u16, index: u16) -> Vec<u8> {
    let setup = setup(0x80, GET_DESCRIPTOR, value, index);
    pico.ask_usb(setup, 0xFFFF).unwrap().unwrap()
}

/// Splits what was sent into descriptors, each of which begins with its length.
pub(crate) fn split(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut all = Vec::new();
    while let Some(&len) = bytes.first() {
        let (one, rest) = bytes
            .split_at_checked(len.into())
            .expect("a length that is there");
        assert!(len > 1, "a descriptor of {len} bytes: {all:?}");
        all.push(one);
        bytes = rest;
    }
    all
}

/// A request as it goes over the line.
pub(crate) fn describe() -> Vec<u8> {
    let mut asker = bootlace_client::Asker::new(bootlace_smp::frame::Framing::Cobs, 1000);
    asker
        .request(&Request::Bootlace(bootlace::Request::Describe))
        .unwrap()
}
