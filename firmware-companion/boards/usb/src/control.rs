//! Endpoint 0: control transfers, one after the other (USB 2.0, 8.5.3), whatever they are about.

use usb_device::UsbError;
use usb_device::bus::UsbBus;
use usb_device::endpoint::EndpointAddress;

use crate::descriptors::{PACKET, TEXT};

/// What the host asks for (USB 2.0, 9.3).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Request {
    /// Direction, type and recipient: `bmRequestType`.
    pub(crate) kind: u8,
    pub(crate) number: u8,
    pub(crate) value: u16,
    pub(crate) index: u16,
    /// Bytes that follow, or that the host takes at most.
    pub(crate) len: u16,
}

impl Request {
    fn is_to_host(&self) -> bool {
        self.kind & 0x80 != 0
    }
}

/// Where a transfer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TransferStage {
    None,
    /// The host takes data.
    ToHost,
    /// The host takes the last of them.
    LastToHost,
    /// The host is to say that it has them all.
    StatusFromHost,
    /// The host sends data.
    FromHost,
    /// The host is to take an empty packet, which says that all is done.
    StatusToHost,
    /// The request was refused.
    Refused,
}

/// Bytes of the longest text as a descriptor, 32 letters, which are also the most that a request may send.
const MOST: usize = 2 + 2 * 32;

/// Endpoint 0.
#[derive(Debug)]
pub(crate) struct Control {
    stage: TransferStage,
    request: Request,
    /// What is sent: constant data, or else what lies in `bytes`.
    constant: Option<&'static [u8]>,
    /// Bytes that went one way or the other, and that go in all.
    at: usize,
    end: usize,
    bytes: [u8; MOST],
}

/// What is sent to the host.
pub(crate) enum Answer<'a> {
    Constant(&'static [u8]),
    Bytes(&'a [u8]),
    /// As a descriptor in UTF-16.
    Text(&'a str),
}

fn from_host() -> EndpointAddress {
    EndpointAddress::from(0x00)
}

fn to_host() -> EndpointAddress {
    EndpointAddress::from(0x80)
}

impl Control {
    pub(crate) const fn new() -> Self {
        Control {
            stage: TransferStage::None,
            request: Request {
                kind: 0,
                number: 0,
                value: 0,
                index: 0,
                len: 0,
            },
            constant: None,
            at: 0,
            end: 0,
            bytes: [0; MOST],
        }
    }

    /// The bus was reset.
    pub(crate) fn reset(&mut self) {
        self.stage = TransferStage::None;
    }

    /// What came from the host with the request.
    pub(crate) fn data(&self) -> &[u8] {
        self.bytes.get(..self.end).unwrap_or_default()
    }

    /// The host began a transfer, and so gave up what went on. Returns the request once it can be answered.
    pub(crate) fn setup<B: UsbBus>(&mut self, bus: &B) -> Option<Request> {
        let mut bytes = [0; 8];
        if bus.read(from_host(), &mut bytes) != Ok(bytes.len()) {
            return None;
        }
        bus.set_stalled(from_host(), false);
        let [kind, number, v0, v1, i0, i1, l0, l1] = bytes;
        let request = Request {
            kind,
            number,
            value: u16::from_le_bytes([v0, v1]),
            index: u16::from_le_bytes([i0, i1]),
            len: u16::from_le_bytes([l0, l1]),
        };
        self.request = request;
        (self.at, self.end) = (0, 0);
        if request.is_to_host() || request.len == 0 {
            return Some(request);
        }
        self.end = request.len.into();
        if self.end > MOST {
            self.refuse(bus);
        } else {
            self.stage = TransferStage::FromHost;
        }
        None
    }

    /// The host sent a packet. Returns the request once it can be answered.
    pub(crate) fn received<B: UsbBus>(&mut self, bus: &B) -> Option<Request> {
        if self.stage == TransferStage::FromHost {
            match bus.read(from_host(), self.bytes.get_mut(self.at..).unwrap_or_default()) {
                Ok(count) => self.at += count,
                Err(UsbError::WouldBlock) => return None,
                Err(_) => self.refuse(bus),
            }
            return (self.at >= self.end).then_some(self.request);
        }
        if bus.read(from_host(), &mut []).is_ok() {
            match self.stage {
                // A host may take less than there is.
                TransferStage::ToHost | TransferStage::LastToHost | TransferStage::StatusFromHost => {
                    self.reset()
                }
                _ => self.refuse(bus),
            }
        }
        None
    }

    /// The host took a packet. Says whether that ended a request without data for the host.
    pub(crate) fn fetched<B: UsbBus>(&mut self, bus: &B) -> bool {
        match self.stage {
            TransferStage::ToHost => self.send_packet(bus),
            TransferStage::LastToHost => {
                bus.set_stalled(from_host(), false);
                self.stage = TransferStage::StatusFromHost;
            }
            TransferStage::StatusToHost => {
                self.reset();
                return true;
            }
            _ => {}
        }
        false
    }

    /// Answers the request.
    pub(crate) fn answer<B: UsbBus>(&mut self, bus: &B, answer: Answer) {
        self.constant = None;
        self.end = match answer {
            Answer::Constant(bytes) => {
                self.constant = Some(bytes);
                bytes.len()
            }
            Answer::Bytes(bytes) => {
                let places = self.bytes.iter_mut();
                places.zip(bytes).for_each(|(place, byte)| *place = *byte);
                bytes.len()
            }
            Answer::Text(text) => self.put_text(text),
        }
        .min(self.request.len.into());
        self.stage = TransferStage::ToHost;
        self.send_packet(bus);
    }

    /// Writes a text as a descriptor; returns its length in bytes.
    fn put_text(&mut self, text: &str) -> usize {
        let mut len = 2;
        let (places, _) = self.bytes.as_chunks_mut();
        for (place, unit) in places.iter_mut().skip(1).zip(text.encode_utf16()) {
            *place = unit.to_le_bytes();
            len += 2;
        }
        if let Some(head) = places.first_mut() {
            *head = [len as u8, TEXT];
        }
        len
    }

    /// Sends the next packet. What fills its last packet ends with an empty one.
    fn send_packet<B: UsbBus>(&mut self, bus: &B) {
        let bytes = self.constant.unwrap_or(&self.bytes);
        let rest = bytes.get(self.at..self.end).unwrap_or_default();
        let packet = rest.get(..PACKET.into()).unwrap_or(rest);
        // What fails here fails because the host has given the transfer up.
        if bus.write(to_host(), packet).is_ok() {
            self.at += packet.len();
            if packet.len() < PACKET.into() {
                self.stage = TransferStage::LastToHost;
            }
        }
    }

    /// Says that the request is done.
    pub(crate) fn accept<B: UsbBus>(&mut self, bus: &B) {
        let _ = bus.write(to_host(), &[]);
        self.stage = TransferStage::StatusToHost;
    }

    /// Refuses the request.
    pub(crate) fn refuse<B: UsbBus>(&mut self, bus: &B) {
        self.stage = TransferStage::Refused;
        bus.set_stalled(from_host(), true);
        bus.set_stalled(to_host(), true);
    }
}
