//! Requests at endpoint 0: what USB's chapter 9 asks for, what is not there, and what does not end as it should.

use bootlace_tests::rp2040::{Failure, Function, Leaves, setup};

use super::board::{
    BOTH, CONFIGURATION, DEVICE, GET_DESCRIPTOR, GET_LINE_CODING, SET_LINE_CODING, answers, board, get, split,
};

const GET_STATUS: u8 = 0;
const SET_FEATURE: u8 = 3;
const GET_CONFIGURATION: u8 = 8;
const SET_CONFIGURATION: u8 = 9;
const GET_INTERFACE: u8 = 10;
const SET_INTERFACE: u8 = 11;
const CODING: [u8; 7] = [0x00, 0xC2, 0x01, 0x00, 0, 0, 8];

#[test]
fn requests_of_chapter_9_are_answered_or_refused() {
    let pico = board();
    let ask = |kind, request, value, index, length| {
        pico.ask_usb(setup(kind, request, value, index), length).unwrap()
    };
    let (done, stall) = (Ok(Vec::new()), Err(Failure::Stall));

    assert_eq!(ask(0x80, GET_STATUS, 0, 0, 2), Ok(vec![0, 0]));
    assert_eq!(ask(0x81, GET_STATUS, 0, 2, 2), Ok(vec![0, 0]));
    assert_eq!(ask(0x80, GET_CONFIGURATION, 0, 0, 1), Ok(vec![1]));
    // Halted and let go: each function's endpoints, both ways.
    for function in BOTH {
        let (to_host, from_host) = (0x80 | function.to_host(), function.from_host());
        for endpoint in [to_host, from_host] {
            let index = endpoint.into();
            assert_eq!(ask(0x02, SET_FEATURE, 0, index, 0), done);
            assert_eq!(ask(0x82, GET_STATUS, 0, index, 2), Ok(vec![1, 0]));
        }
        assert_eq!(pico.send_usb(from_host, &[0; 8]).unwrap(), stall);
        assert_eq!(pico.read_usb(to_host, 64, 100).unwrap(), stall);
        for endpoint in [to_host, from_host] {
            pico.clear_halt(endpoint).unwrap();
            assert_eq!(ask(0x82, GET_STATUS, 0, endpoint.into(), 2), Ok(vec![0, 0]));
        }
        answers(&pico, "a halt");
    }
    // An odd number of packets, then a halt that was none: packet numbers begin again all the same.
    for function in BOTH {
        pico.send_usb(function.from_host(), b"x").unwrap().unwrap();
        pico.clear_halt(function.from_host()).unwrap();
        answers(&pico, "a halt that was none");
    }

    // An odd number of packets on each function before: whose numbers begin again shows.
    let unsettle = || {
        for function in BOTH {
            pico.send_usb(function.from_host(), &[0]).unwrap().unwrap();
        }
    };
    let of_interface = [&[][..], &[Function::Serial], &[Function::Vendor]];
    for (interface, functions) in of_interface.into_iter().enumerate() {
        unsettle();
        let interface = interface as u16;
        assert_eq!(ask(0x81, GET_INTERFACE, 0, interface, 1), Ok(vec![0]));
        assert_eq!(ask(0x01, SET_INTERFACE, 0, interface, 0), done);
        pico.restart_packet_numbers(functions).unwrap();
        answers(&pico, "SET_INTERFACE");
        unsettle();
        assert_eq!(ask(0x01, SET_INTERFACE, 1, interface, 0), stall);
        answers(&pico, "a SET_INTERFACE that was refused");
    }
    for configuration in [0, 1, 1] {
        unsettle();
        assert_eq!(ask(0x00, SET_CONFIGURATION, configuration, 0, 0), done);
        pico.restart_packet_numbers(&BOTH).unwrap();
        let now = ask(0x80, GET_CONFIGURATION, 0, 0, 1);
        assert_eq!(now, Ok(vec![configuration as u8]));
    }
    answers(&pico, "SET_CONFIGURATION");
    unsettle();
    assert_eq!(ask(0x00, SET_CONFIGURATION, 7, 0, 0), stall);

    // What nobody knows: standard, class and vendor requests, descriptors, both ways.
    for (kind, request, value, length) in [
        (0x80, 0x55, 0, 4),
        (0x00, 0x55, 0, 0),
        (0xA1, 0x55, 0, 4),
        (0x21, 0x55, 0, 0),
        (0xC0, 0x55, 0, 4),
        (0x40, 0x55, 0, 0),
        (0x80, GET_DESCRIPTOR, 0x3F0, 8),
        (0x80, GET_DESCRIPTOR, 0x600, 10),
        (0x00, SET_FEATURE, 0x77, 0),
    ] {
        assert_eq!(
            ask(kind, request, value, 0, length),
            stall,
            "{kind:02x} {request:02x}"
        );
    }
    answers(&pico, "requests that nobody knows");
    pico.behaved().unwrap();
}

#[test]
fn requests_of_interfaces_and_endpoints_that_are_not_there_are_refused() {
    let pico = board();
    let ask = |kind, request, index, length| {
        let setup = setup(kind, request, 0, index);
        pico.ask_usb(setup, length).unwrap()
    };
    let (status, done, stall) = (Ok(vec![0, 0]), Ok(Vec::new()), Err(Failure::Stall));
    // Of the bits of an index that addresses do not use, one each.
    let strange = [0x10, 0x40, 0x100, 0x8000];
    for index in (0..5).chain(strange) {
        let is_there = index < 3;
        let expected = if is_there { &status } else { &stall };
        assert_eq!(&ask(0x81, GET_STATUS, index, 2), expected, "interface {index:#x}");
        let expected = if is_there { &done } else { &stall };
        assert_eq!(
            &ask(0x01, SET_INTERFACE, index, 0),
            expected,
            "interface {index:#x}"
        );
    }
    let configuration = get(&pico, CONFIGURATION, 0);
    let described: Vec<u16> = split(&configuration)
        .into_iter()
        .filter(|it| it[1] == 5)
        .map(|endpoint| endpoint[2].into())
        .collect();
    assert_eq!(described.len(), 5);
    let addresses = (0..16).chain(0x80..0x90);
    for index in addresses.chain(strange).chain(strange.map(|bit| bit | 1)) {
        // The two of control transfers are never described.
        let is_there = described.contains(&index) || matches!(index, 0 | 0x80);
        let expected = if is_there { &status } else { &stall };
        assert_eq!(&ask(0x82, GET_STATUS, index, 2), expected, "endpoint {index:#x}");
        if !is_there {
            assert_eq!(ask(0x02, SET_FEATURE, index, 0), stall, "endpoint {index:#x}");
        }
    }
    // Packet numbers have begun again at each of the three interfaces.
    pico.restart_packet_numbers(&BOTH).unwrap();
    answers(&pico, "requests of what is not there");
    pico.behaved().unwrap();
}

#[test]
fn control_transfers_that_are_cut_short_or_too_long_are_got_over() {
    let pico = board();
    let configuration = setup(0x80, GET_DESCRIPTOR, CONFIGURATION, 0);
    let whole = get(&pico, CONFIGURATION, 0);
    for (setup, data) in [(configuration, None), (SET_LINE_CODING, Some(&CODING[..]))] {
        for leaves in [Leaves::Data, Leaves::Status] {
            pico.leave_usb(setup, data, 255, leaves).unwrap();
            // The next SETUP ends what went on: this one, and one with data the other way.
            assert_eq!(get(&pico, CONFIGURATION, 0), whole, "{leaves:?}");
            pico.leave_usb(setup, data, 255, leaves).unwrap();
            assert_eq!(pico.tell_usb(SET_LINE_CODING, &CODING).unwrap(), Ok(vec![]));
            assert_eq!(pico.ask_usb(GET_LINE_CODING, 7).unwrap(), Ok(CODING.to_vec()));
        }
    }
    // Fewer and more bytes than the request has, up to several packets.
    for len in [1, 6, 63, 64, 65, 128, 129, 200, 512] {
        let told = pico.tell_usb(SET_LINE_CODING, &vec![0; len]).unwrap();
        let longer = len > 7;
        let wanted = if longer {
            vec![Ok(vec![]), Err(Failure::Stall)]
        } else {
            vec![Err(Failure::Stall)]
        };
        assert!(wanted.contains(&told), "{len} bytes: {told:?}");
    }
    assert_eq!(pico.tell_usb(SET_LINE_CODING, &CODING).unwrap(), Ok(vec![]));
    // Data for a request that has none, and for one that goes the other way.
    let told = pico.tell_usb(setup(0x00, SET_CONFIGURATION, 1, 0), &[0; 8]);
    assert_ne!(told.unwrap(), Err(Failure::Cancelled));
    pico.restart_packet_numbers(&BOTH).unwrap();
    answers(&pico, "control transfers cut short");
    pico.behaved().unwrap();
}

#[test]
fn a_request_that_comes_with_a_reset_of_the_bus_is_answered() {
    let pico = board();
    for number in 0..5 {
        let arrivals = pico.arrivals();
        let asked = (setup(0x80, GET_DESCRIPTOR, DEVICE, 0), 18);
        let device = pico.reset_bus(Some(asked)).unwrap();
        assert_eq!(device.map(|it| it.len()), Ok(18), "reset {number}");
        pico.wait_beyond(arrivals).unwrap();
        answers(&pico, "a reset of the bus");
    }
    pico.behaved().unwrap();
}
