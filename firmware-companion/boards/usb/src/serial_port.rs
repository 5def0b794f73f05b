//! The serial port: CDC-ACM (Communications Class Subclass for PSTN Devices 1.2) without AT commands, so that no modem
//! manager dials into a board.

use usb_device::bus::{InterfaceNumber, UsbBus, UsbBusAllocator};
use usb_device::class::{ControlIn, ControlOut, UsbClass};
use usb_device::control::{Recipient, Request, RequestType};
use usb_device::descriptor::DescriptorWriter;
use usb_device::endpoint::{EndpointAddress, EndpointIn};
use usb_device::{Result, UsbError};

use crate::pipe::{Pipe, Restart};

const CLASS_COMMUNICATION: u8 = 0x02;
const CLASS_DATA: u8 = 0x0A;
const SUBCLASS_ACM: u8 = 0x02;
/// Not 0x01, which announces AT commands.
const PROTOCOL_NONE: u8 = 0x00;

/// Kind of a functional descriptor, and which one it is.
const CLASS_INTERFACE: u8 = 0x24;
const HEADER: u8 = 0x00;
const CALL_MANAGEMENT: u8 = 0x01;
const ABSTRACT_CONTROL: u8 = 0x02;
const UNION: u8 = 0x06;
/// It takes SET_LINE_CODING, GET_LINE_CODING and SET_CONTROL_LINE_STATE.
const LINE_REQUESTS: u8 = 0x02;

const SET_LINE_CODING: u8 = 0x20;
const GET_LINE_CODING: u8 = 0x21;
const SET_CONTROL_LINE_STATE: u8 = 0x22;
/// Bit of the control lines: a program has the port open.
const DATA_TERMINAL_READY: u16 = 1;
/// A port that is opened at this rate and closed again asks for the bootloader, as on Arduino's boards.
const TOUCH_BAUD: u32 = 1200;

/// Bytes of a packet of notifications, of which it sends none, and milliseconds between two of the host's questions.
const NOTIFICATION: u16 = 8;
const NOTIFICATION_INTERVAL: u8 = 255;

/// The port.
pub(crate) struct SerialPort<'a, B: UsbBus, R> {
    control: InterfaceNumber,
    data: InterfaceNumber,
    notifications: EndpointIn<'a, B>,
    pub(crate) pipe: Pipe<'a, B, R>,
    /// Bits per second, stop bits, parity and data bits, as the host last set them: only the first says anything here.
    coding: [u8; 7],
    is_ready: bool,
    /// It was opened at [`TOUCH_BAUD`] and closed.
    pub(crate) is_touched: bool,
}

impl<'a, B: UsbBus, R: Restart> SerialPort<'a, B, R> {
    pub(crate) fn new(bus: &'a UsbBusAllocator<B>) -> Self {
        SerialPort {
            control: bus.interface(),
            data: bus.interface(),
            notifications: bus.interrupt(NOTIFICATION, NOTIFICATION_INTERVAL),
            pipe: Pipe::new(bus),
            // 115,200 baud, 8N1.
            coding: [0x00, 0xC2, 0x01, 0x00, 0, 0, 8],
            is_ready: false,
            is_touched: false,
        }
    }

    pub(crate) fn endpoints(&self) -> [EndpointAddress; 3] {
        let [from_host, to_host] = self.pipe.endpoints();
        [self.notifications.address(), from_host, to_host]
    }

    /// Whether a request is for this class.
    fn is_ours(&self, request: &Request) -> bool {
        request.request_type == RequestType::Class
            && request.recipient == Recipient::Interface
            && request.index == u16::from(u8::from(self.control))
    }

    fn set_ready(&mut self, is_ready: bool) {
        let is_touch = self.coding.first_chunk() == Some(&TOUCH_BAUD.to_le_bytes());
        self.is_touched |= self.is_ready && !is_ready && is_touch;
        self.is_ready = is_ready;
    }
}

impl<B: UsbBus, R: Restart> UsbClass<B> for SerialPort<'_, B, R> {
    fn get_configuration_descriptors(&self, writer: &mut DescriptorWriter) -> Result<()> {
        let (control, data) = (u8::from(self.control), u8::from(self.data));
        writer.iad(
            self.control,
            2,
            CLASS_COMMUNICATION,
            SUBCLASS_ACM,
            PROTOCOL_NONE,
            None,
        )?;
        writer.interface(self.control, CLASS_COMMUNICATION, SUBCLASS_ACM, PROTOCOL_NONE)?;
        // CDC 1.10.
        writer.write(CLASS_INTERFACE, &[HEADER, 0x10, 0x01])?;
        writer.write(CLASS_INTERFACE, &[CALL_MANAGEMENT, 0, data])?;
        writer.write(CLASS_INTERFACE, &[ABSTRACT_CONTROL, LINE_REQUESTS])?;
        writer.write(CLASS_INTERFACE, &[UNION, control, data])?;
        writer.endpoint(&self.notifications)?;
        writer.interface(self.data, CLASS_DATA, 0, 0)?;
        self.pipe.describe(writer)
    }

    fn reset(&mut self) {
        self.pipe.forget();
        // A cable that is pulled is no touch.
        self.is_ready = false;
    }

    fn control_in(&mut self, transfer: ControlIn<B>) {
        let request = transfer.request();
        if self.is_ours(request) && request.request == GET_LINE_CODING {
            // What fails here fails because the host has given the transfer up.
            let _: core::result::Result<(), UsbError> = transfer.accept_with(&self.coding);
        }
    }

    fn control_out(&mut self, transfer: ControlOut<B>) {
        let request = *transfer.request();
        self.pipe.follow(&request, self.data);
        if !self.is_ours(&request) {
            return;
        }
        let _: core::result::Result<(), UsbError> = match (request.request, transfer.data().first_chunk()) {
            (SET_LINE_CODING, Some(coding)) => {
                self.coding = *coding;
                transfer.accept()
            }
            (SET_CONTROL_LINE_STATE, _) => {
                self.set_ready(request.value & DATA_TERMINAL_READY != 0);
                transfer.accept()
            }
            _ => transfer.reject(),
        };
    }

    fn endpoint_out(&mut self, endpoint: EndpointAddress) {
        self.pipe.arrived(endpoint);
    }

    fn endpoint_in_complete(&mut self, endpoint: EndpointAddress) {
        self.pipe.fetched(endpoint);
    }
}
