//! The device as a whole: who it is, and which of its two ways to the host is in use.

use bootlace_cortex_m::{Conversation, Line, PIECE};
use usb_device::bus::{UsbBus, UsbBusAllocator};
use usb_device::descriptor::lang_id::LangID;
use usb_device::device::{StringDescriptors, UsbDevice, UsbDeviceBuilder, UsbVidPid};

use crate::missing::Missing;
use crate::pipe::{Pipe, Restart};
use crate::serial_port::SerialPort;
use crate::vendor::{INTERFACES, Vendor};

/// Who the device is.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// Vendor and product number. Bootloader and application may have the same where both use this crate: their
    /// interfaces are the same, which Windows expects of equal numbers.
    pub numbers: (u16, u16),
    /// What people call it.
    pub product: &'a str,
    /// Unique among all of these: it tells equal boards apart.
    pub serial: &'a str,
}

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
    device: UsbDevice<'a, B>,
    missing: Missing,
    serial_port: SerialPort<'a, B, R>,
    vendor: Vendor<'a, B, R>,
    way: Way,
}

impl<'a, B: UsbBus, R: Restart> UsbLine<'a, B, R> {
    /// Begins to be seen by the host.
    pub fn open(bus: &'a UsbBusAllocator<B>, names: Names<'a>) -> Self {
        // The order decides which numbers the interfaces have.
        let (serial_port, vendor) = (SerialPort::new(bus), Vendor::new(bus));
        let endpoints = serial_port.endpoints().into_iter().chain(vendor.pipe.endpoints());
        let missing = Missing::but(INTERFACES, endpoints);
        let texts = StringDescriptors::new(LangID::EN_US)
            .product(names.product)
            .serial_number(names.serial);
        let (vid, pid) = names.numbers;
        let builder = || UsbDeviceBuilder::new(bus, UsbVidPid(vid, pid)).composite_with_iads();
        // Neither fails: one language is not too many, and full speed has packets of 64 bytes.
        let complete =
            (builder().strings(&[texts])).and_then(|builder| builder.max_packet_size_0(PIECE as u8));
        let device = complete.unwrap_or_else(|_| builder()).build();
        UsbLine {
            device,
            missing,
            serial_port,
            vendor,
            way: Way::SerialPort,
        }
    }

    fn pipe(&mut self, way: Way) -> &mut Pipe<'a, B, R> {
        match way {
            Way::SerialPort => &mut self.serial_port.pipe,
            Way::Vendor => &mut self.vendor.pipe,
        }
    }

    /// Answers what the host asks of the device itself. The hardware keeps the host waiting meanwhile, so seldom is slow,
    /// not wrong; hosts give a device up after seconds.
    fn poll(&mut self) {
        (self.device).poll(&mut [&mut self.missing, &mut self.serial_port, &mut self.vendor]);
    }
}

impl<B: UsbBus, R: Restart> Line for UsbLine<'_, B, R> {
    fn read(&mut self, bytes: &mut [u8; PIECE], conversation: Conversation) -> usize {
        self.poll();
        // Whoever waits is heard first: a host that never pauses does not keep the other out.
        if conversation == Conversation::Paused && self.is_awaited() {
            self.way = self.way.other();
        }
        self.pipe(self.way).read(bytes)
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        self.poll();
        self.pipe(self.way).write(bytes)
    }

    fn flush(&mut self) {
        self.pipe(self.way).flush();
    }

    fn is_drained(&self) -> bool {
        self.serial_port.pipe.is_drained() && self.vendor.pipe.is_drained()
    }

    fn is_awaited(&self) -> bool {
        match self.way.other() {
            Way::SerialPort => self.serial_port.pipe.has_unread(),
            Way::Vendor => self.vendor.pipe.has_unread(),
        }
    }

    fn wants_bootloader(&self) -> bool {
        self.serial_port.is_touched
    }
}
