//! The device's functions, the serial port and the vendor interface, and what hosts ask of them and of the device (USB 2.0, 9.4).
//!
//! `usb-device` has a stack of its own for this, which writes descriptors piece by piece for whatever classes there are and
//! answers for interfaces and endpoints that are not there. One device whose descriptors are constant takes a third of that.

use core::marker::PhantomData;

use usb_device::bus::{PollResult, UsbBus};
use usb_device::endpoint::EndpointAddress;

use crate::control::{Answer, Control, Request};
use crate::descriptors::{
    CONFIGURATION, DEVICE, INTERFACES, LANGUAGE, LANGUAGES, MICROSOFT_REQUEST, MICROSOFT_SET, NOTIFICATIONS,
    NUMBERS, OBJECT_STORE, OF_CONFIGURATION, OF_DEVICE, OF_MICROSOFT, OF_STORE, PORT_CONTROL, PORT_DATA,
    PORT_DATA_ENDPOINTS, PRODUCT, SERIAL, TEXT, VENDOR, VENDOR_ENDPOINTS,
};
use crate::pipe::{Pipe, Restart, restart};
use crate::serial_port::{CODING, SerialPort};

/// Who the device is.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// Vendor and product number. Bootloader and application may have the same where both use this crate: their
    /// interfaces are the same, which Windows expects of equal numbers.
    pub numbers: (u16, u16),
    /// What people call it: at most 32 letters.
    pub product: &'a str,
    /// Unique among all of these: it tells equal boards apart. At most 32 letters.
    pub serial: &'a str,
}

/// Kinds of requests: direction, type and recipient.
const OF_DEVICE_TO_HOST: u8 = 0x80;
const OF_INTERFACE_TO_HOST: u8 = 0x81;
const OF_ENDPOINT_TO_HOST: u8 = 0x82;
const TO_DEVICE: u8 = 0x00;
const TO_INTERFACE: u8 = 0x01;
const TO_ENDPOINT: u8 = 0x02;
const OF_PORT_TO_HOST: u8 = 0xA1;
const TO_PORT: u8 = 0x21;
const OF_VENDOR_TO_HOST: u8 = 0xC0;

/// Requests.
const GET_STATUS: u8 = 0;
const CLEAR_FEATURE: u8 = 1;
const SET_FEATURE: u8 = 3;
const SET_ADDRESS: u8 = 5;
const GET_DESCRIPTOR: u8 = 6;
const GET_CONFIGURATION: u8 = 8;
const SET_CONFIGURATION: u8 = 9;
const GET_INTERFACE: u8 = 10;
const SET_INTERFACE: u8 = 11;
const SET_LINE_CODING: u8 = 0x20;
const GET_LINE_CODING: u8 = 0x21;
const SET_CONTROL_LINE_STATE: u8 = 0x22;

/// The one feature that endpoints have.
const ENDPOINT_HALT: u16 = 0;
/// Bit of the control lines: a program has the port open.
const DATA_TERMINAL_READY: u16 = 1;

/// The endpoints that there are, the two of control transfers among them.
const ENDPOINTS: [u8; 7] = [
    0x00,
    0x80,
    NOTIFICATIONS,
    PORT_DATA_ENDPOINTS[0],
    PORT_DATA_ENDPOINTS[1],
    VENDOR_ENDPOINTS[0],
    VENDOR_ENDPOINTS[1],
];

/// Everything but the bus. `R` does what the bus's driver leaves undone.
pub(crate) struct Functions<'a, R> {
    names: Names<'a>,
    control: Control,
    pub(crate) port: SerialPort,
    /// Of the port and of the vendor interface.
    pub(crate) pipes: [Pipe; 2],
    /// Number of the configuration that the host has chosen; 0: none yet.
    configuration: u8,
    /// The address that the device is to have once the host knows that.
    address: Option<u8>,
    is_suspended: bool,
    restart: PhantomData<R>,
}

impl<'a, R: Restart> Functions<'a, R> {
    pub(crate) fn new(names: Names<'a>) -> Self {
        Functions {
            names,
            control: Control::new(),
            port: SerialPort::new(),
            pipes: [PORT_DATA_ENDPOINTS, VENDOR_ENDPOINTS].map(Pipe::new),
            configuration: 0,
            address: None,
            is_suspended: false,
            restart: PhantomData,
        }
    }

    /// Does what is to be done about what happened on the bus.
    #[inline(never)]
    pub(crate) fn poll<B: UsbBus>(&mut self, bus: &B) {
        let happened = bus.poll();
        if self.is_suspended && !matches!(happened, PollResult::None | PollResult::Suspend) {
            self.is_suspended = false;
            bus.resume();
        }
        match happened {
            PollResult::None | PollResult::Resume => {}
            PollResult::Suspend => {
                if !self.is_suspended {
                    self.is_suspended = true;
                    bus.suspend();
                }
            }
            PollResult::Reset => self.reset(bus),
            PollResult::Data {
                ep_out: received,
                ep_in_complete: fetched,
                ep_setup: begun,
            } => {
                let request = if begun & 1 != 0 {
                    self.control.setup(bus)
                } else if received & 1 != 0 {
                    self.control.received(bus)
                } else {
                    None
                };
                if let Some(request) = request {
                    self.answer(bus, &request);
                } else if fetched & 1 != 0
                    && self.control.fetched(bus)
                    && let Some(address) = self.address.take()
                {
                    bus.set_device_address(address);
                }
                self.pipes
                    .iter_mut()
                    .for_each(|pipe| pipe.moved(received, fetched));
            }
        }
    }

    fn reset<B: UsbBus>(&mut self, bus: &B) {
        bus.reset();
        self.configuration = 0;
        self.address = None;
        self.control.reset();
        self.port.forget();
        self.pipes.iter_mut().for_each(Pipe::forget);
    }

    /// Answers a request, or refuses it.
    fn answer<B: UsbBus>(&mut self, bus: &B, request: &Request) {
        let is_there = match request.kind & 3 {
            1 => request.index < INTERFACES,
            2 => u8::try_from(request.index).is_ok_and(|address| ENDPOINTS.contains(&address)),
            _ => true,
        };
        let endpoint = EndpointAddress::from(request.index as u8);
        let answer = match (request.kind, request.number) {
            _ if !is_there => None,
            (OF_DEVICE_TO_HOST | OF_INTERFACE_TO_HOST, GET_STATUS) => Some(Answer::Bytes(&[0, 0])),
            (OF_ENDPOINT_TO_HOST, GET_STATUS) => Some(Answer::Bytes(match bus.is_stalled(endpoint) {
                true => &[1, 0],
                false => &[0, 0],
            })),
            (OF_DEVICE_TO_HOST, GET_CONFIGURATION) => {
                Some(Answer::Bytes(core::slice::from_ref(&self.configuration)))
            }
            // No interface has another setting.
            (OF_INTERFACE_TO_HOST, GET_INTERFACE) => Some(Answer::Bytes(&[0])),
            (OF_DEVICE_TO_HOST, GET_DESCRIPTOR) => return self.describe(bus, request),
            (OF_PORT_TO_HOST, GET_LINE_CODING) if request.index == PORT_CONTROL.into() => {
                Some(Answer::Bytes(&self.port.coding))
            }
            (OF_VENDOR_TO_HOST, MICROSOFT_REQUEST) if request.index == MICROSOFT_SET => {
                Some(Answer::Constant(&OF_MICROSOFT))
            }
            _ => None,
        };
        if let Some(answer) = answer {
            self.control.answer(bus, answer);
        } else if is_there && self.obey(bus, request, endpoint) {
            self.control.accept(bus);
        } else {
            self.control.refuse(bus);
        }
    }

    /// Does what a request without an answer asks for; says whether that was possible.
    fn obey<B: UsbBus>(&mut self, bus: &B, request: &Request, endpoint: EndpointAddress) -> bool {
        match (request.kind, request.number, request.value) {
            (TO_DEVICE, SET_ADDRESS, 1..=127) => {
                let address = request.value as u8;
                if B::QUIRK_SET_ADDRESS_BEFORE_STATUS {
                    bus.set_device_address(address);
                } else {
                    self.address = Some(address);
                }
            }
            (TO_DEVICE, SET_CONFIGURATION, 0 | 1) => {
                self.configuration = request.value as u8;
                self.pipes.iter_mut().for_each(|pipe| pipe.restart::<B, R>(bus));
            }
            (TO_INTERFACE, SET_INTERFACE, 0) => {
                let interfaces = [PORT_DATA, VENDOR].into_iter();
                let of_pipes = interfaces.zip(&mut self.pipes);
                for (_, pipe) in of_pipes.filter(|(interface, _)| request.index == (*interface).into()) {
                    pipe.restart::<B, R>(bus);
                }
            }
            (TO_ENDPOINT, CLEAR_FEATURE, ENDPOINT_HALT) => restart::<B, R>(bus, endpoint),
            (TO_ENDPOINT, SET_FEATURE, ENDPOINT_HALT) => bus.set_stalled(endpoint, true),
            (TO_PORT, SET_CONTROL_LINE_STATE, state) if request.index == PORT_CONTROL.into() => {
                self.port.set_ready(state & DATA_TERMINAL_READY != 0);
            }
            (TO_PORT, SET_LINE_CODING, _) if request.index == PORT_CONTROL.into() => {
                let Some(coding) = self.control.data().first_chunk::<CODING>() else {
                    return false;
                };
                self.port.coding = *coding;
            }
            _ => return false,
        }
        true
    }

    /// Sends a descriptor.
    fn describe<B: UsbBus>(&mut self, bus: &B, request: &Request) {
        let [number, kind] = request.value.to_le_bytes();
        let mut device = OF_DEVICE;
        let answer = match (kind, number) {
            (DEVICE, _) => {
                let (vendor, product) = self.names.numbers;
                let numbers = u32::from(product) << 16 | u32::from(vendor);
                if let Some(place) = device.get_mut(NUMBERS) {
                    place.copy_from_slice(&numbers.to_le_bytes());
                }
                Answer::Bytes(&device)
            }
            (CONFIGURATION, _) => Answer::Constant(&OF_CONFIGURATION),
            (OBJECT_STORE, _) => Answer::Constant(&OF_STORE),
            (TEXT, 0) => Answer::Constant(&LANGUAGES),
            (TEXT, PRODUCT) if request.index == LANGUAGE => Answer::Text(self.names.product),
            (TEXT, SERIAL) if request.index == LANGUAGE => Answer::Text(self.names.serial),
            _ => return self.control.refuse(bus),
        };
        self.control.answer(bus, answer);
    }
}
