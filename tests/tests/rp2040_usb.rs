//! The emulated Pico's USB, as good and bad hosts use it: what the board's binary says of itself, and that it answers the next
//! good host on both functions whatever the last one did.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use std::io::Write as _;
use std::time::Duration;

use bootlace_smp::Request;
use bootlace_smp::bootlace::{self, Role};
use bootlace_tests::pair::wire::Dice;
use bootlace_tests::rp2040::{Factory, Failure, Function, Leaves, Pico, Setup};

const GET_STATUS: u8 = 0;
const SET_FEATURE: u8 = 3;
const GET_DESCRIPTOR: u8 = 6;
const GET_CONFIGURATION: u8 = 8;
const SET_CONFIGURATION: u8 = 9;
const GET_INTERFACE: u8 = 10;
const SET_INTERFACE: u8 = 11;
/// `wValue` of [`GET_DESCRIPTOR`].
const DEVICE: u16 = 0x100;
const CONFIGURATION: u16 = 0x200;
const BINARY_OBJECT_STORE: u16 = 0xF00;
/// Of the serial port's own requests.
const SET_LINE_CODING: Setup = Setup::new(0x21, 0x20, 0, 0);
const GET_LINE_CODING: Setup = Setup::new(0xA1, 0x21, 0, 0);
const CODING: [u8; 7] = [0x00, 0xC2, 0x01, 0x00, 0, 0, 8];
/// The longest that a good host may wait for the board: milliseconds of the board's time.
const LONGEST: f64 = 1000.0;
const BOTH: [Function; 2] = [Function::Serial, Function::Vendor];

fn board() -> Pico {
    let pico = Pico::running(&Factory::new().unwrap().flash(None).unwrap()).unwrap();
    pico.info().unwrap();
    pico
}

/// That the board answers a good host on both functions, each within [`LONGEST`].
fn answers(pico: &Pico, after: &str) {
    for function in BOTH {
        let before = pico.count("millis").unwrap();
        let role = pico.client(function).unwrap().describe_when_up(|it| it.role);
        let took = pico.count("millis").unwrap() - before;
        assert_eq!(role.ok(), Some(Role::Bootloader), "{function:?} after {after}");
        assert!(took < LONGEST, "{function:?} after {after}: {took} ms");
    }
}

fn get(pico: &Pico, value: u16, index: u16) -> Vec<u8> {
    let setup = Setup::new(0x80, GET_DESCRIPTOR, value, index);
    pico.ask_usb(setup, 0xFFFF).unwrap().unwrap()
}

/// Splits what was sent into descriptors, each of which begins with its length.
fn split(mut bytes: &[u8]) -> Vec<&[u8]> {
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

fn text(pico: &Pico, index: u8) -> String {
    let bytes = get(pico, 0x300 | u16::from(index), 0x409);
    assert_eq!((usize::from(bytes[0]), bytes[1]), (bytes.len(), 3));
    let units: Vec<u16> = bytes[2..]
        .chunks(2)
        .map(|it| u16::from_le_bytes([it[0], it[1]]))
        .collect();
    String::from_utf16(&units).unwrap()
}

#[test]
fn the_descriptors_are_what_hosts_need() {
    let pico = board();
    let device = get(&pico, DEVICE, 0);
    // USB 2.1, as who has a binary object store must say; classes by interface association; 64 bytes; 1209:0001.
    assert_eq!(
        device[..12],
        [18, 1, 0x10, 0x02, 0xEF, 2, 1, 64, 0x09, 0x12, 1, 0]
    );
    let (product, serial) = (device[15], device[16]);
    assert_eq!(text(&pico, product), "Raspberry Pi Pico");
    assert_eq!(text(&pico, serial), "E6614104032A562C");
    assert_eq!(get(&pico, 0x300, 0), [4, 3, 0x09, 0x04]);
    assert_eq!(device[17], 1, "configurations");

    let all = get(&pico, CONFIGURATION, 0);
    let parts = split(&all);
    let [9, 2, low, high, interfaces, number, ..] = parts[0] else {
        panic!("{:?}", parts[0])
    };
    assert_eq!(usize::from(u16::from_le_bytes([*low, *high])), all.len());
    assert_eq!((*interfaces, *number), (3, 1));
    assert_eq!(
        parts[1..],
        [
            // The port: two interfaces that are one function. Protocol 0: without AT commands.
            &[8, 11, 0, 2, 2, 2, 0, 0][..],
            &[9, 4, 0, 0, 1, 2, 2, 0, 0],
            &[5, 0x24, 0, 0x10, 0x01],
            &[5, 0x24, 1, 0, 1],
            &[4, 0x24, 2, 2],
            &[5, 0x24, 6, 0, 1],
            &[7, 5, 0x81, 3, 8, 0, 255],
            &[9, 4, 1, 0, 2, 10, 0, 0, 0],
            &[7, 5, 0x01, 2, 64, 0, 0],
            &[7, 5, 0x82, 2, 64, 0, 0],
            // The vendor interface.
            &[9, 4, 2, 0, 2, 0xFF, b'S', b'M', 0],
            &[7, 5, 0x02, 2, 64, 0, 0],
            &[7, 5, 0x83, 2, 64, 0, 0],
        ]
    );
    // A part is a part.
    let part = pico.ask_usb(Setup::new(0x80, GET_DESCRIPTOR, CONFIGURATION, 0), 64);
    assert_eq!(part.unwrap().unwrap(), all[..64]);

    let all = get(&pico, BINARY_OBJECT_STORE, 0);
    let parts = split(&all);
    assert_eq!(parts[0][..2], [5, 15]);
    assert_eq!(
        usize::from(u16::from_le_bytes([parts[0][2], parts[0][3]])),
        all.len()
    );
    assert_eq!(usize::from(parts[0][4]), parts.len() - 1);
    let platform = |uuid: [u8; 16]| {
        let mut all = parts.iter().filter(|part| part[1..4] == [16, 5, 0]);
        all.find(|part| part[4..20] == uuid)
            .map(|part| part[20..].to_vec())
    };
    let webusb = [
        0x38, 0xB6, 0x08, 0x34, 0xA9, 0x09, 0xA0, 0x47, 0x8B, 0xFD, 0xA0, 0x76, 0x88, 0x15, 0xB6, 0x65,
    ];
    // Version 1.0, a request's number, no landing page.
    assert!(
        matches!(platform(webusb).as_deref(), Some([0, 1, _, 0])),
        "{all:?}"
    );
    let microsoft = [
        0xDF, 0x60, 0xDD, 0xD8, 0x89, 0x45, 0xC7, 0x4C, 0x9C, 0xD2, 0x65, 0x9D, 0x9E, 0x64, 0x8A, 0x9F,
    ];
    let found = platform(microsoft).unwrap();
    let [0, 0, 3, 6, low, high, request, 0] = found[..] else {
        panic!("{found:?}")
    };
    microsoft_descriptors(&pico, u16::from_le_bytes([low, high]), request);
    pico.behaved().unwrap();
}

/// Microsoft's descriptor set gives the vendor interface, and no other, to WinUSB under a class of its own.
fn microsoft_descriptors(pico: &Pico, len: u16, request: u8) {
    let set = pico
        .ask_usb(Setup::new(0xC0, request, 0, 7), 4096)
        .unwrap()
        .unwrap();
    assert_eq!(set.len(), usize::from(len));
    // Windows asks for as many as the capability has told.
    let told = pico.ask_usb(Setup::new(0xC0, request, 0, 7), len);
    assert_eq!(told.unwrap().unwrap(), set);
    let number = |at: usize| usize::from(u16::from_le_bytes([set[at], set[at + 1]]));
    let kind = |at: usize| number(at + 2);
    // Set, configuration 0, function of interface 2: each says how much is in it.
    assert_eq!((number(0), kind(0), number(8)), (10, 0, set.len()));
    assert_eq!((number(10), kind(10), number(16)), (8, 1, set.len() - 10));
    assert_eq!(
        (number(18), kind(18), set[22], number(24)),
        (8, 2, 2, set.len() - 18)
    );
    assert_eq!((number(26), kind(26)), (20, 3));
    assert_eq!(&set[30..46], b"WINUSB\0\0\0\0\0\0\0\0\0\0");
    // A registry property that is a list of texts.
    assert_eq!((number(46), kind(46), number(50)), (set.len() - 46, 4, 7));
    let wide = |from: usize, len: usize| {
        let units: Vec<u16> = (from..from + len)
            .step_by(2)
            .map(|at| number(at) as u16)
            .collect();
        String::from_utf16(&units).unwrap()
    };
    let name = number(52);
    assert_eq!(wide(54, name), "DeviceInterfaceGUIDs\0");
    let data = number(54 + name);
    assert_eq!(56 + name + data, set.len());
    let guids = wide(56 + name, data);
    assert!(
        guids.len() == 40 && guids.starts_with('{') && guids.ends_with("}\0\0"),
        "{guids:?}"
    );
}

#[test]
fn requests_of_chapter_9_are_answered_or_refused() {
    let pico = board();
    let ask = |kind, request, value, index, length| {
        pico.ask_usb(Setup::new(kind, request, value, index), length)
            .unwrap()
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
        let setup = Setup::new(kind, request, 0, index);
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
    let configuration = Setup::new(0x80, GET_DESCRIPTOR, CONFIGURATION, 0);
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
    let told = pico.tell_usb(Setup::new(0x00, SET_CONFIGURATION, 1, 0), &[0; 8]);
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
        let asked = (Setup::new(0x80, GET_DESCRIPTOR, DEVICE, 0), 18);
        let device = pico.reset_bus(Some(asked)).unwrap();
        assert_eq!(device.map(|it| it.len()), Ok(18), "reset {number}");
        pico.wait_beyond(arrivals).unwrap();
        answers(&pico, "a reset of the bus");
    }
    pico.behaved().unwrap();
}

#[test]
fn a_bus_that_sleeps_or_is_reset_in_mid_conversation_is_got_over() {
    let pico = board();
    for function in BOTH {
        let mut client = pico.client(function).unwrap();
        client.describe_when_up(|it| it.role).unwrap();
        pico.suspend(true).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        pico.suspend(false).unwrap();
        assert_eq!(client.describe_when_up(|it| it.role).unwrap(), Role::Bootloader);
        // Half a packet, then the reset: the other half never comes.
        let wire = describe();
        client.stream().write_all(&wire[..wire.len() / 2]).unwrap();
        std::thread::sleep(Duration::from_millis(10));
        let arrivals = pico.arrivals();
        pico.reset_bus(None).unwrap().unwrap();
        pico.wait_beyond(arrivals).unwrap();
        answers(&pico, "half a packet and a reset of the bus");
    }
    pico.behaved().unwrap();
}

/// A request as it goes over the line.
fn describe() -> Vec<u8> {
    let mut asker = bootlace_client::Asker::new(bootlace_smp::frame::Framing::Cobs, 1000);
    asker
        .request(&Request::Bootlace(bootlace::Request::Describe))
        .unwrap()
}

/// One host stops in the middle of a packet and stays; one at the other function has something to ask.
#[test]
fn half_a_packet_on_one_function_does_not_keep_the_other_waiting() {
    let pico = board();
    let wire = describe();
    for (held, other) in [
        (Function::Serial, Function::Vendor),
        (Function::Vendor, Function::Serial),
    ] {
        answers(&pico, "nothing");
        let half = pico.client(held).unwrap();
        half.stream().write_all(&wire[..wire.len() / 2]).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        let before = pico.count("millis").unwrap();
        let role = pico.client(other).unwrap().describe_when_up(|it| it.role);
        let took = pico.count("millis").unwrap() - before;
        assert_eq!(role.unwrap(), Role::Bootloader);
        assert!(took < LONGEST, "{other:?}: {took} ms");
    }
    pico.behaved().unwrap();
}

/// A host that asks and asks, and reads none of the answers.
#[test]
fn a_host_that_stops_reading_does_not_keep_the_board() {
    let pico = board();
    let wire = describe();
    for function in BOTH {
        let mut asked = 0;
        while pico.send_usb(function.from_host(), &wire).unwrap().is_ok() && asked < 50 {
            asked += 1;
        }
        // It holds the board up for as long as a good host may take for its next read, and no longer.
        assert!(asked > 3, "{function:?} took {asked} requests");
        // One that comes to the same function finds what the last one left, so the other function is asked first.
        let mut others = BOTH.into_iter().filter(|it| *it != function);
        let before = pico.count("millis").unwrap();
        let mut client = pico.client(others.next().unwrap()).unwrap();
        assert_eq!(client.describe_when_up(|it| it.role).unwrap(), Role::Bootloader);
        let took = pico.count("millis").unwrap() - before;
        assert!(took < LONGEST, "{took} ms");
        drop(client);
        answers(&pico, "a host that stopped reading");
    }
    pico.behaved().unwrap();
}

/// Replies of every length around that of a packet: a transfer that fills its last packet ends with an empty one.
#[test]
fn replies_that_fill_their_last_packet_end() {
    let pico = board();
    for function in BOTH {
        let mut client = pico.client(function).unwrap();
        client.describe_when_up(|it| it.role).unwrap();
        drop(client);
        std::thread::sleep(Duration::from_millis(20));
        let mut full = 0;
        for len in 1..130 {
            let text = "x".repeat(len);
            let mut asker = bootlace_client::Asker::new(bootlace_smp::frame::Framing::Cobs, 1000);
            let wire = asker
                .request(&Request::Os(bootlace_smp::os::Request::Echo(
                    text.as_str().into(),
                )))
                .unwrap();
            pico.send_usb(function.from_host(), &wire).unwrap().unwrap();
            // Far more than comes: only a short packet ends this transfer.
            let reply = pico
                .read_usb(function.to_host(), 4096, 1000)
                .unwrap()
                .unwrap_or_else(|failure| panic!("{function:?}, {len} bytes: {failure:?}"));
            let packet = asker.answer(&reply).unwrap().expect("one whole reply");
            assert!(packet.windows(len).any(|part| part == text.as_bytes()));
            full += u32::from(reply.len().is_multiple_of(64));
        }
        assert!(full >= 2, "{full} replies filled their last packet");
    }
    pico.behaved().unwrap();
}

/// How many re-plugs are tried: a few in every run, and as many as this variable says by hand.
const REPLUGS: &str = "BOOTLACE_RP2040_REPLUGS";

fn by_hand(variable: &str, usual: u32) -> u32 {
    let wanted = std::env::var(variable).ok();
    wanted.map_or(usual, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is no number: {text}"))
    })
}

/// The cable is pulled at any moment of a conversation, of a board with its own supply and of one without.
#[test]
fn the_board_answers_after_every_replug() {
    let pico = board();
    let mut dice = Dice::new(0x5EED);
    let wire = describe();
    for number in 0..by_hand(REPLUGS, 40) {
        let function = BOTH[number as usize % 2];
        let part = below(&mut dice, wire.len() + 1);
        pico.send_usb(function.from_host(), &wire[..part])
            .unwrap()
            .unwrap();
        std::thread::sleep(Duration::from_micros(dice.below(3000)));
        let arrivals = pico.arrivals();
        if dice.below(2) == 0 {
            pico.plug(false).unwrap();
            pico.plug(true).unwrap();
        } else {
            pico.power(false).unwrap();
            pico.power(true).unwrap();
        }
        pico.wait_beyond(arrivals).unwrap();
        answers(&pico, &format!("re-plug {number}, {part} bytes on {function:?}"));
    }
    pico.behaved().unwrap();
}

/// Requests at endpoint 0 that come while flash is erased and programmed wait, and none is lost or mixed up with another.
#[test]
fn control_requests_during_an_upload_are_answered() {
    let factory = Factory::new().unwrap();
    let pico = board();
    let (image, _) = factory
        .application(bootlace_tests::rp2040::Behaviour::Normal, 1)
        .unwrap();
    std::thread::scope(|scope| {
        let upload = scope.spawn(|| {
            let mut client = pico.client(Function::Vendor).unwrap();
            client.upload(&image, image.len()).unwrap().1
        });
        let mut asked = 0;
        while !upload.is_finished() {
            let baud = 9600 + asked;
            let coding = [&u32::to_le_bytes(baud)[..], &[0, 0, 8]].concat();
            assert_eq!(pico.tell_usb(SET_LINE_CODING, &coding).unwrap(), Ok(vec![]));
            assert_eq!(pico.ask_usb(GET_LINE_CODING, 7).unwrap(), Ok(coding));
            asked += 1;
        }
        assert_eq!(upload.join().unwrap(), Some(true));
        assert!(asked > 5, "{asked} requests");
    });
    answers(&pico, "an upload");
    pico.behaved().unwrap();
}

/// How many rounds of the fuzz are run, and from which seed.
const ROUNDS: &str = "BOOTLACE_RP2040_FUZZ";
const SEED: &str = "BOOTLACE_RP2040_SEED";

fn below(dice: &mut Dice, end: usize) -> usize {
    dice.below(end as u64) as usize
}

fn bytes(dice: &mut Dice, len: usize) -> Vec<u8> {
    (0..len).map(|_| dice.roll() as u8).collect()
}

/// Any bytes on both functions and at endpoint 0, some of them nearly good: the board answers the next good host.
#[test]
fn any_bytes_leave_a_board_that_answers_within_a_second() {
    let pico = board();
    let seed = by_hand(SEED, 1);
    let mut dice = Dice::new(seed.into());
    let good = describe();
    for round in 0..by_hand(ROUNDS, 12) {
        for _ in 0..12 {
            let function = BOTH[below(&mut dice, BOTH.len())];
            let sent = match dice.below(4) {
                0 => {
                    let len = below(&mut dice, 300);
                    bytes(&mut dice, len)
                }
                1 => {
                    let mut bytes = good.clone();
                    let at = below(&mut dice, bytes.len());
                    bytes[at] ^= 1 << dice.below(8);
                    bytes
                }
                2 => good[..below(&mut dice, good.len())].to_vec(),
                _ => {
                    let value = dice.roll();
                    let kind = [0x00, 0x01, 0x02, 0x21, 0x40, 0x80, 0x81, 0x82, 0xA1, 0xC0];
                    // Not SET_ADDRESS, which makes it another board to the host, and no halt, which the host would have to
                    // clear.
                    let request = [0, 6, 8, 0x0A, 0x20, 0x21, 0x22, 0x55][below(&mut dice, 8)];
                    let kind = kind[below(&mut dice, 10)];
                    let setup = Setup::new(kind, request, value as u16, (value >> 16) as u16 & 0x8F);
                    let length = dice.below(200) as u16;
                    if kind & 0x80 != 0 {
                        drop(pico.ask_usb(setup, length).unwrap());
                    } else {
                        let data = bytes(&mut dice, length.into());
                        drop(pico.tell_usb(setup, &data).unwrap());
                    }
                    continue;
                }
            };
            drop(pico.send_usb(function.from_host(), &sent).unwrap());
            // A host that reads, as far as there is something.
            for function in BOTH {
                while pico.read_usb(function.to_host(), 4096, 2).unwrap().is_ok() {}
            }
        }
        answers(&pico, &format!("round {round} of seed {seed}"));
    }
    pico.behaved().unwrap();
}
