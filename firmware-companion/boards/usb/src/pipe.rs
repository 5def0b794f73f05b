//! Two bulk endpoints that carry a stream of bytes, and where its packets end.

use core::marker::PhantomData;

use usb_device::UsbError;
use usb_device::bus::{InterfaceNumber, UsbBus, UsbBusAllocator};
use usb_device::control::{Recipient, Request, RequestType};
use usb_device::descriptor::DescriptorWriter;
use usb_device::endpoint::{EndpointAddress, EndpointIn, EndpointOut};

use bootlace_cortex_m::PIECE;

/// Bytes of a packet: the most that full speed has for bulk endpoints.
const PACKET: u16 = PIECE as u16;

/// A stream of bytes to and from the host.
pub(crate) struct Pipe<'a, B: UsbBus, R> {
    from_host: EndpointOut<'a, B>,
    to_host: EndpointIn<'a, B>,
    /// A packet came that has not been read yet.
    has_unread: bool,
    /// A packet has not been fetched yet.
    is_sending: bool,
    /// The last packet was full: to the host the transfer has not ended.
    is_open: bool,
    restart: PhantomData<R>,
}

/// What a driver leaves undone when an endpoint is halted no longer.
pub trait Restart {
    /// Starts the endpoint's packet numbers from 0 again and gives up what the host has not fetched.
    fn restart(endpoint: EndpointAddress);
}

/// A driver that leaves nothing undone.
impl Restart for () {
    fn restart(_: EndpointAddress) {}
}

impl<'a, B: UsbBus, R: Restart> Pipe<'a, B, R> {
    pub(crate) fn new(bus: &'a UsbBusAllocator<B>) -> Self {
        Pipe {
            from_host: bus.bulk(PACKET),
            to_host: bus.bulk(PACKET),
            has_unread: false,
            is_sending: false,
            is_open: false,
            restart: PhantomData,
        }
    }

    pub(crate) fn endpoints(&self) -> [EndpointAddress; 2] {
        [self.from_host.address(), self.to_host.address()]
    }

    pub(crate) fn describe(&self, writer: &mut DescriptorWriter) -> Result<(), UsbError> {
        writer.endpoint(&self.from_host)?;
        writer.endpoint(&self.to_host)
    }

    pub(crate) fn read(&mut self, bytes: &mut [u8; PIECE]) -> usize {
        let read = self.from_host.read(bytes);
        self.has_unread &= read.is_err();
        read.unwrap_or(0)
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> usize {
        let packet = bytes.get(..PIECE).unwrap_or(bytes);
        let Ok(sent) = self.to_host.write(packet) else {
            return 0;
        };
        self.is_sending = true;
        self.is_open = sent == PIECE;
        sent
    }

    /// Ends the transfer: after a full packet, with an empty one.
    pub(crate) fn flush(&mut self) {
        if self.is_open && self.to_host.write(&[]).is_ok() {
            self.is_sending = true;
            self.is_open = false;
        }
    }

    pub(crate) fn has_unread(&self) -> bool {
        self.has_unread
    }

    pub(crate) fn is_drained(&self) -> bool {
        !self.is_sending && !self.is_open
    }

    /// The host sent a packet.
    pub(crate) fn arrived(&mut self, endpoint: EndpointAddress) {
        self.has_unread |= endpoint == self.from_host.address();
    }

    /// The host fetched a packet.
    pub(crate) fn fetched(&mut self, endpoint: EndpointAddress) {
        if endpoint == self.to_host.address() {
            self.is_sending = false;
        }
    }

    /// Nothing is on its way any more: the bus was reset.
    pub(crate) fn forget(&mut self) {
        self.has_unread = false;
        self.forget_sent();
    }

    fn forget_sent(&mut self) {
        self.is_sending = false;
        self.is_open = false;
    }

    /// Requests of the host that start packet numbers from 0 again, of both endpoints, which the stack does not do by itself (USB
    /// 2.0, 9.1.1.5; `interface`: the one of these endpoints), or of one (9.4.5). What had not been fetched is given up. Requests
    /// that the stack refuses change nothing.
    pub(crate) fn follow(&mut self, request: &Request, interface: InterfaceNumber) {
        const CONFIGURATIONS: u16 = 1;
        if request.request_type != RequestType::Standard {
            return;
        }
        let is_restart = match (request.recipient, request.request) {
            (Recipient::Device, Request::SET_CONFIGURATION) => request.value <= CONFIGURATIONS,
            (Recipient::Interface, Request::SET_INTERFACE) => {
                (request.value, request.index) == (0, u16::from(u8::from(interface)))
            }
            (Recipient::Endpoint, Request::CLEAR_FEATURE) => {
                let mut ours = self.endpoints().into_iter();
                if request.value == Request::FEATURE_ENDPOINT_HALT
                    && let Some(endpoint) = ours.find(|&it| request.index == u16::from(u8::from(it)))
                {
                    R::restart(endpoint);
                }
                false
            }
            _ => false,
        };
        if is_restart {
            self.from_host.unstall();
            self.to_host.unstall();
            self.endpoints().into_iter().for_each(R::restart);
            self.forget_sent();
        }
    }
}
