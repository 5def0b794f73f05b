//! What the board's binary says of itself.

use bootlace_tests::rp2040::{Pico, setup};

use super::board::{CONFIGURATION, DEVICE, GET_DESCRIPTOR, board, get, split};

const BINARY_OBJECT_STORE: u16 = 0xF00;

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
    let part = pico.ask_usb(setup(0x80, GET_DESCRIPTOR, CONFIGURATION, 0), 64);
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
    let set = pico.ask_usb(setup(0xC0, request, 0, 7), 4096).unwrap().unwrap();
    assert_eq!(set.len(), usize::from(len));
    // Windows asks for as many as the capability has told.
    let told = pico.ask_usb(setup(0xC0, request, 0, 7), len);
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
