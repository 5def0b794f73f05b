//! Two bulk endpoints that carry a stream of bytes, and where its packets end.

use bootlace_cortex_m::PIECE;
use usb_device::bus::UsbBus;
use usb_device::endpoint::EndpointAddress;

/// A stream of bytes to and from the host.
#[derive(Debug)]
pub(crate) struct Pipe {
    from_host: EndpointAddress,
    to_host: EndpointAddress,
    /// A packet came that has not been read yet.
    has_unread: bool,
    /// A packet has not been fetched yet.
    is_sending: bool,
    /// The last packet was full: to the host the transfer has not ended.
    is_open: bool,
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

/// Lets an endpoint be used again, with packet numbers from 0 on.
pub(crate) fn restart<B: UsbBus, R: Restart>(bus: &B, endpoint: EndpointAddress) {
    bus.set_stalled(endpoint, false);
    R::restart(endpoint);
}

impl Pipe {
    /// From and to these endpoints.
    pub(crate) fn new([from_host, to_host]: [u8; 2]) -> Self {
        Pipe {
            from_host: from_host.into(),
            to_host: to_host.into(),
            has_unread: false,
            is_sending: false,
            is_open: false,
        }
    }

    pub(crate) fn read<B: UsbBus>(&mut self, bus: &B, bytes: &mut [u8; PIECE]) -> usize {
        let read = bus.read(self.from_host, bytes);
        self.has_unread &= read.is_err();
        read.unwrap_or(0)
    }

    pub(crate) fn write<B: UsbBus>(&mut self, bus: &B, bytes: &[u8]) -> usize {
        let packet = bytes.get(..PIECE).unwrap_or(bytes);
        let Ok(sent) = bus.write(self.to_host, packet) else {
            return 0;
        };
        self.is_sending = true;
        self.is_open = sent == PIECE;
        sent
    }

    /// Ends the transfer: after a full packet, with an empty one.
    pub(crate) fn flush<B: UsbBus>(&mut self, bus: &B) {
        if self.is_open {
            // Of no bytes, so that it is not open any more; nothing changes where there is no room yet.
            self.write(bus, &[]);
        }
    }

    pub(crate) fn has_unread(&self) -> bool {
        self.has_unread
    }

    pub(crate) fn is_drained(&self) -> bool {
        !self.is_sending && !self.is_open
    }

    /// The host sent packets to these endpoints, and fetched packets from those: one bit each.
    pub(crate) fn moved(&mut self, received: u16, fetched: u16) {
        self.has_unread |= received >> self.from_host.index() & 1 != 0;
        self.is_sending &= fetched >> self.to_host.index() & 1 == 0;
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

    /// Packet numbers start from 0 again, of both endpoints; what had not been fetched is given up.
    pub(crate) fn restart<B: UsbBus, R: Restart>(&mut self, bus: &B) {
        restart::<B, R>(bus, self.from_host);
        restart::<B, R>(bus, self.to_host);
        self.forget_sent();
    }
}
