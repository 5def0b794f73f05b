//! What the device says of itself, as constant data: device, configuration, binary object store, and Microsoft's set. Numbers of
//! interfaces and endpoints stand here and nowhere else.

use bootlace_cortex_m::PIECE;
use bootlace_smp::usb::{CLASS, PROTOCOL, SUBCLASS};

/// Bytes of a packet, at endpoint 0 as at the bulk endpoints: the most that full speed has.
pub(crate) const PACKET: u8 = PIECE as u8;

/// The interfaces: the serial port's two, and the vendor interface.
pub(crate) const PORT_CONTROL: u8 = 0;
pub(crate) const PORT_DATA: u8 = 1;
pub(crate) const VENDOR: u8 = 2;
pub(crate) const INTERFACES: u16 = 3;

/// The endpoints: the serial port's notifications, and of each function the one from the host and the one to the host.
pub(crate) const NOTIFICATIONS: u8 = 0x81;
pub(crate) const PORT_DATA_ENDPOINTS: [u8; 2] = [0x01, 0x82];
pub(crate) const VENDOR_ENDPOINTS: [u8; 2] = [0x02, 0x83];

/// Bytes of a packet of notifications, of which the port sends none, and milliseconds between two of the host's questions.
pub(crate) const NOTIFICATION: u8 = 8;
pub(crate) const NOTIFICATION_INTERVAL: u8 = 255;

/// Kinds of descriptors.
pub(crate) const DEVICE: u8 = 1;
pub(crate) const CONFIGURATION: u8 = 2;
pub(crate) const TEXT: u8 = 3;
const INTERFACE: u8 = 4;
const ENDPOINT: u8 = 5;
const ASSOCIATION: u8 = 11;
pub(crate) const OBJECT_STORE: u8 = 15;
const CAPABILITY: u8 = 16;
/// One of the interface's class.
const OF_CLASS: u8 = 0x24;

/// Numbers of the texts: the product's name and the serial number.
pub(crate) const PRODUCT: u8 = 2;
pub(crate) const SERIAL: u8 = 3;

/// The language that all texts are in, US English, and the list of languages.
pub(crate) const LANGUAGE: u16 = 0x0409;
pub(crate) static LANGUAGES: [u8; 4] = [4, TEXT, LANGUAGE as u8, (LANGUAGE >> 8) as u8];

/// The device, but for the numbers of vendor and product.
#[rustfmt::skip]
pub(crate) static OF_DEVICE: [u8; 18] = [
    // USB 2.1: before, there was no binary object store. Classes by interface association.
    18, DEVICE, 0x10, 0x02, 0xEF, 0x02, 0x01, PACKET,
    // Vendor, product, version 0.1, no manufacturer, one configuration.
    0, 0, 0, 0, 0x10, 0x00, 0, PRODUCT, SERIAL, 1,
];
/// Where vendor and product stand in it.
pub(crate) const NUMBERS: core::ops::Range<usize> = 8..12;

const BULK: u8 = 2;
const INTERRUPT: u8 = 3;
const COMMUNICATION: u8 = 0x02;
const DATA: u8 = 0x0A;
const ACM: u8 = 0x02;
/// Not 0x01, which announces AT commands: no modem manager dials into a board.
const NO_COMMANDS: u8 = 0;
/// The port takes SET_LINE_CODING, GET_LINE_CODING and SET_CONTROL_LINE_STATE.
const LINE_REQUESTS: u8 = 0x02;

const CONFIGURATION_LEN: usize = 98;

/// The one configuration, number 1. The port is CDC-ACM (Communications Class Subclass for PSTN Devices 1.2), CDC 1.10.
#[rustfmt::skip]
pub(crate) static OF_CONFIGURATION: [u8; CONFIGURATION_LEN] = [
    // Powered by the bus, 100 mA.
    9, CONFIGURATION, CONFIGURATION_LEN as u8, 0, INTERFACES as u8, 1, 0, 0x80, 50,

    8, ASSOCIATION, PORT_CONTROL, 2, COMMUNICATION, ACM, NO_COMMANDS, 0,
    9, INTERFACE, PORT_CONTROL, 0, 1, COMMUNICATION, ACM, NO_COMMANDS, 0,
    // Header, call management, abstract control, union.
    5, OF_CLASS, 0x00, 0x10, 0x01,
    5, OF_CLASS, 0x01, 0, PORT_DATA,
    4, OF_CLASS, 0x02, LINE_REQUESTS,
    5, OF_CLASS, 0x06, PORT_CONTROL, PORT_DATA,
    7, ENDPOINT, NOTIFICATIONS, INTERRUPT, NOTIFICATION, 0, NOTIFICATION_INTERVAL,

    9, INTERFACE, PORT_DATA, 0, 2, DATA, 0, 0, 0,
    7, ENDPOINT, PORT_DATA_ENDPOINTS[0], BULK, PACKET, 0, 0,
    7, ENDPOINT, PORT_DATA_ENDPOINTS[1], BULK, PACKET, 0, 0,

    9, INTERFACE, VENDOR, 0, 2, CLASS, SUBCLASS, PROTOCOL, 0,
    7, ENDPOINT, VENDOR_ENDPOINTS[0], BULK, PACKET, 0, 0,
    7, ENDPOINT, VENDOR_ENDPOINTS[1], BULK, PACKET, 0, 0,
];

/// The request by which Windows asks for its descriptors (any number would do), and its `wIndex`.
pub(crate) const MICROSOFT_REQUEST: u8 = 0x20;
pub(crate) const MICROSOFT_SET: u16 = 0x07;

/// What a capability is that a platform defines under a UUID.
const PLATFORM: u8 = 5;
const STORE_LEN: usize = 64;

/// The binary object store: what lets programs have the vendor interface without a driver.
#[rustfmt::skip]
pub(crate) static OF_STORE: [u8; STORE_LEN] = [
    5, OBJECT_STORE, STORE_LEN as u8, 0, 3,
    // USB 2.0 extension: nothing.
    7, CAPABILITY, 2, 0, 0, 0, 0,
    // WebUSB (its specification, 3.3), version 1.0: {3408b638-09a9-47a0-8bfd-a0768815b665}, a request that nobody needs to
    // make, and no landing page.
    24, CAPABILITY, PLATFORM, 0,
    0x38, 0xB6, 0x08, 0x34, 0xA9, 0x09, 0xA0, 0x47, 0x8B, 0xFD, 0xA0, 0x76, 0x88, 0x15, 0xB6, 0x65,
    0x00, 0x01, 0x21, 0,
    // Microsoft OS 2.0 (its specification, table 4): {d8dd60df-4589-4cc7-9cd2-659d9e648a9f}, from Windows 8.1 on.
    28, CAPABILITY, PLATFORM, 0,
    0xDF, 0x60, 0xDD, 0xD8, 0x89, 0x45, 0xC7, 0x4C, 0x9C, 0xD2, 0x65, 0x9D, 0x9E, 0x64, 0x8A, 0x9F,
    0x00, 0x00, 0x03, 0x06, MICROSOFT_LEN as u8, 0, MICROSOFT_REQUEST, 0,
];

/// The interface's class of its own, by which programs on Windows find it; in UTF-16 with the two zeros that end a list.
const INTERFACE_GUIDS: &[u8; 80] = &utf_16("{6f3b1c1e-5b0a-4d8f-9a63-2b8a1d6f0c57}\0\0");
/// The property that holds it.
const PROPERTY: &[u8; 42] = &utf_16("DeviceInterfaceGUIDs\0");

/// Microsoft's descriptor set: headers of the set, of the configuration and of this function, the compatible id WINUSB, and
/// the property with the interface's class.
pub(crate) static OF_MICROSOFT: [u8; MICROSOFT_LEN] = microsoft();
const MICROSOFT_LEN: usize = 178;

const fn utf_16<const N: usize>(text: &str) -> [u8; N] {
    let (text, mut wide, mut at) = (text.as_bytes(), [0; N], 0);
    assert!(2 * text.len() == N, "two bytes for each letter");
    while at < text.len() {
        wide[2 * at] = text[at];
        at += 1;
    }
    wide
}

const fn microsoft() -> [u8; MICROSOFT_LEN] {
    #[rustfmt::skip]
    const HEAD: [u8; 54] = [
        // Set: length, kind, Windows 8.1, all bytes.
        10, 0, 0, 0, 0x00, 0x00, 0x03, 0x06, MICROSOFT_LEN as u8, 0,
        // Configuration 0: length, kind, all bytes from here.
        8, 0, 1, 0, 0, 0, 168, 0,
        // Function: length, kind, first interface, all bytes from here.
        8, 0, 2, 0, VENDOR, 0, 160, 0,
        // Compatible id: length, kind, id, no second one.
        20, 0, 3, 0, b'W', b'I', b'N', b'U', b'S', b'B', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        // Property: length, kind, a list of texts, bytes of the name.
        132, 0, 4, 0, 7, 0, 42, 0,
    ];
    let (mut all, mut at) = ([0; MICROSOFT_LEN], 0);
    while at < all.len() {
        all[at] = match at {
            // What is before the name.
            0..54 => HEAD[at],
            54..96 => PROPERTY[at - 54],
            96 => INTERFACE_GUIDS.len() as u8,
            97 => 0,
            _ => INTERFACE_GUIDS[at - 98],
        };
        at += 1;
    }
    all
}
