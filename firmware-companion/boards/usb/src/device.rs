//! The device as a whole, and which of its two ways to the host is in use.

use bootlace_cortex_m::{Conversation, Line, PIECE};
use usb_device::bus::{UsbBus, UsbBusAllocator};
use usb_device::device::{UsbDevice, UsbDeviceBuilder, UsbVidPid};
use usb_device::endpoint::{EndpointDirection, EndpointType, In, Out};

use crate::descriptors::{
    NOTIFICATION, NOTIFICATION_INTERVAL, NOTIFICATIONS, PACKET, PORT_DATA_ENDPOINTS, VENDOR_ENDPOINTS,
};
use crate::functions::{Functions, Names};
use crate::pipe::{Pipe, Restart};

/// Which way to the host is in use.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    SerialPort,
    Vendor,
}

impl Way {
    const fn other(self) -> Self {
        match self {
            Way::SerialPort => Way::Vendor,
            Way::Vendor => Way::SerialPort,
        }
    }
}

/// A board's line over USB. `R` does what the bus's driver leaves undone.
pub struct UsbLine<'a, B: UsbBus, R = ()> {
    /// The bus is reached by it, once it is switched on; it is not asked for anything else.
    device: UsbDevice<'a, B>,
    functions: Functions<'a, R>,
    way: Way,
}

impl<'a, B: UsbBus, R: Restart> UsbLine<'a, B, R> {
    /// Begins to be seen by the host.
    pub fn open(bus: &'a UsbBusAllocator<B>, names: Names<'a>) -> Self {
        let (bulk, packet) = (EndpointType::Bulk, PACKET.into());
        allocate::<B, In>(
            bus,
            EndpointType::Interrupt,
            NOTIFICATION.into(),
            NOTIFICATION_INTERVAL,
            NOTIFICATIONS,
        );
        for [from_host, to_host] in [PORT_DATA_ENDPOINTS, VENDOR_ENDPOINTS] {
            allocate::<B, Out>(bus, bulk, packet, 0, from_host);
            allocate::<B, In>(bus, bulk, packet, 0, to_host);
        }
        let (vid, pid) = names.numbers;
        let builder = || UsbDeviceBuilder::new(bus, UsbVidPid(vid, pid));
        // Full speed has packets of 64 bytes: the other is never seen.
        let complete = builder().max_packet_size_0(PACKET);
        UsbLine {
            device: complete.unwrap_or_else(|_| builder()).build(),
            functions: Functions::new(names),
            way: Way::SerialPort,
        }
    }

    fn poll(&mut self) {
        self.functions.poll(self.device.bus());
    }

    /// The pipe that is in use, and the bus.
    fn pipe(&mut self) -> (&mut Pipe, &B) {
        let [serial_port, vendor] = &mut self.functions.pipes;
        let pipe = match self.way {
            Way::SerialPort => serial_port,
            Way::Vendor => vendor,
        };
        (pipe, self.device.bus())
    }
}

/// Asks a driver for an endpoint. Drivers number them in order, from 1 on in each direction: the descriptors say so.
fn allocate<B: UsbBus, D: EndpointDirection>(
    bus: &UsbBusAllocator<B>,
    kind: EndpointType,
    packet: u16,
    interval: u8,
    address: u8,
) {
    let endpoint = bus.alloc::<D>(None, kind, packet, interval);
    debug_assert!(endpoint.is_ok_and(|endpoint| u8::from(endpoint.address()) == address));
}

impl<B: UsbBus, R: Restart> Line for UsbLine<'_, B, R> {
    fn read(&mut self, bytes: &mut [u8; PIECE], conversation: Conversation) -> usize {
        self.poll();
        // Whoever waits is heard first: a host that never pauses does not keep the other out.
        if conversation == Conversation::Paused && self.is_awaited() {
            self.way = self.way.other();
        }
        let (pipe, bus) = self.pipe();
        pipe.read(bus, bytes)
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        self.poll();
        let (pipe, bus) = self.pipe();
        pipe.write(bus, bytes)
    }

    fn flush(&mut self) {
        let (pipe, bus) = self.pipe();
        pipe.flush(bus);
    }

    fn is_drained(&self) -> bool {
        self.functions.pipes.iter().all(Pipe::is_drained)
    }

    fn is_awaited(&self) -> bool {
        let [serial_port, vendor] = &self.functions.pipes;
        match self.way {
            Way::SerialPort => vendor.has_unread(),
            Way::Vendor => serial_port.has_unread(),
        }
    }

    fn wants_bootloader(&self) -> bool {
        self.functions.port.is_touched
    }
}
