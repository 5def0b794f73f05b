//! The vendor interface: two bulk endpoints for WebUSB and libusb, and what tells hosts to let programs have it without a
//! driver: WebUSB's platform capability and Microsoft's OS 2.0 descriptors.

use bootlace_smp::usb::{CLASS, PROTOCOL, SUBCLASS};
use usb_device::bus::{InterfaceNumber, UsbBus, UsbBusAllocator};
use usb_device::class::{ControlIn, ControlOut, UsbClass};
use usb_device::control::{Recipient, RequestType};
use usb_device::descriptor::{BosWriter, DescriptorWriter};
use usb_device::endpoint::EndpointAddress;
use usb_device::{Result, UsbError};

use crate::pipe::{Pipe, Restart};

/// Interfaces before this one: the Microsoft descriptors name it by its number, in constant data.
const NUMBER: u8 = 2;
/// All interfaces: it is the last.
pub(crate) const INTERFACES: u16 = NUMBER as u16 + 1;

/// Kind of a device capability: one that a platform defines under a UUID.
const PLATFORM: u8 = 0x05;

/// The request by which Windows asks for its descriptors; any number would do.
const MICROSOFT_REQUEST: u8 = 0x20;
const MICROSOFT_DESCRIPTOR_SET: u16 = 0x07;

/// WebUSB (its specification, 3.3), version 1.0: {3408b638-09a9-47a0-8bfd-a0768815b665}, a request that nobody needs to make,
/// and no landing page.
const WEBUSB: [u8; 21] = [
    0, 0x38, 0xB6, 0x08, 0x34, 0xA9, 0x09, 0xA0, 0x47, 0x8B, 0xFD, 0xA0, 0x76, 0x88, 0x15, 0xB6, 0x65, 0x00,
    0x01, 0x21, 0,
];

/// Microsoft OS 2.0 (its specification, table 4): {d8dd60df-4589-4cc7-9cd2-659d9e648a9f}, from Windows 8.1 on.
const MICROSOFT: [u8; 25] = [
    0,
    0xDF,
    0x60,
    0xDD,
    0xD8,
    0x89,
    0x45,
    0xC7,
    0x4C,
    0x9C,
    0xD2,
    0x65,
    0x9D,
    0x9E,
    0x64,
    0x8A,
    0x9F,
    0x00,
    0x00,
    0x03,
    0x06,
    SET_LEN as u8,
    0,
    MICROSOFT_REQUEST,
    0,
];

/// The interface's class of its own, by which programs on Windows find it; in UTF-16 with the two zeros that end a list.
const INTERFACE_GUIDS: &[u8; 80] = &utf_16("{6f3b1c1e-5b0a-4d8f-9a63-2b8a1d6f0c57}\0\0");
/// The property that holds it.
const PROPERTY: &[u8; 42] = &utf_16("DeviceInterfaceGUIDs\0");

/// The descriptor set: headers of the set, of the configuration and of this function, the compatible id WINUSB, and the
/// property with the interface's class.
static DESCRIPTORS: [u8; SET_LEN] = descriptors();
const SET_LEN: usize = 178;

const fn utf_16<const N: usize>(text: &str) -> [u8; N] {
    let (text, mut wide, mut at) = (text.as_bytes(), [0; N], 0);
    assert!(2 * text.len() == N, "two bytes for each letter");
    while at < text.len() {
        wide[2 * at] = text[at];
        at += 1;
    }
    wide
}

const fn descriptors() -> [u8; SET_LEN] {
    #[rustfmt::skip]
    const HEAD: [u8; 54] = [
        // Set: length, kind, Windows 8.1, all bytes.
        10, 0, 0, 0, 0x00, 0x00, 0x03, 0x06, SET_LEN as u8, 0,
        // Configuration 0: length, kind, all bytes from here.
        8, 0, 1, 0, 0, 0, 168, 0,
        // Function: length, kind, first interface, all bytes from here.
        8, 0, 2, 0, NUMBER, 0, 160, 0,
        // Compatible id: length, kind, id, no second one.
        20, 0, 3, 0, b'W', b'I', b'N', b'U', b'S', b'B', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        // Property: length, kind, a list of texts, bytes of the name.
        132, 0, 4, 0, 7, 0, 42, 0,
    ];
    let (mut all, mut at) = ([0; SET_LEN], 0);
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

/// The interface.
pub(crate) struct Vendor<'a, B: UsbBus, R> {
    number: InterfaceNumber,
    pub(crate) pipe: Pipe<'a, B, R>,
}

impl<'a, B: UsbBus, R: Restart> Vendor<'a, B, R> {
    pub(crate) fn new(bus: &'a UsbBusAllocator<B>) -> Self {
        Vendor {
            number: bus.interface(),
            pipe: Pipe::new(bus),
        }
    }
}

impl<B: UsbBus, R: Restart> UsbClass<B> for Vendor<'_, B, R> {
    fn get_configuration_descriptors(&self, writer: &mut DescriptorWriter) -> Result<()> {
        writer.interface(self.number, CLASS, SUBCLASS, PROTOCOL)?;
        self.pipe.describe(writer)
    }

    fn get_bos_descriptors(&self, writer: &mut BosWriter) -> Result<()> {
        writer.capability(PLATFORM, &WEBUSB)?;
        writer.capability(PLATFORM, &MICROSOFT)
    }

    fn reset(&mut self) {
        self.pipe.forget();
    }

    fn control_in(&mut self, transfer: ControlIn<B>) {
        let request = transfer.request();
        if request.request_type == RequestType::Vendor
            && request.recipient == Recipient::Device
            && (request.request, request.index) == (MICROSOFT_REQUEST, MICROSOFT_DESCRIPTOR_SET)
        {
            // What fails here fails because the host has given the transfer up.
            let _: core::result::Result<(), UsbError> = transfer.accept_with_static(&DESCRIPTORS);
        }
    }

    fn control_out(&mut self, transfer: ControlOut<B>) {
        self.pipe.follow(transfer.request(), self.number);
    }

    fn endpoint_out(&mut self, endpoint: EndpointAddress) {
        self.pipe.arrived(endpoint);
    }

    fn endpoint_in_complete(&mut self, endpoint: EndpointAddress) {
        self.pipe.fetched(endpoint);
    }
}
