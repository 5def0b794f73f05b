//! The line: USB, from when a cable with power is there.

use bootlace_core::board::Identity;
use bootlace_cortex_m::{Conversation, Line, PIECE};
use bootlace_usb::{Names, UsbLine};
use nrf_usbd::{UsbPeripheral, Usbd};
use usb_device::bus::UsbBusAllocator;

use crate::registers::{
    CRYSTAL_START, CRYSTAL_STARTED, CRYSTAL_STOP, USB_SUPPLY, USBD, USBD_ENABLE, USBD_PULL_UP, read, write,
};

/// Vendor and product on USB: pid.codes' numbers for tests. A product has its own.
const NUMBERS: (u16, u16) = (0x1209, 0x0001);

/// The controller, for its driver.
pub struct Controller;

#[allow(unsafe_code, reason = "the trait asks for it")]
// SAFETY: the address is that of the chip's only USBD, and nothing else uses the controller.
unsafe impl UsbPeripheral for Controller {
    const REGISTERS: *const () = USBD as *const ();
}

/// The bus.
pub type Bus = UsbBusAllocator<Usbd<Controller>>;

/// A bus that no host sees yet.
pub fn bus() -> Bus {
    UsbBusAllocator::new(Usbd::new(Controller))
}

/// The line of a board. Without a cable it is silent and waits for nobody; the driver's own waiting is over in a millisecond
/// once there is power on the cable.
pub struct CabledLine<'a> {
    bus: &'a Bus,
    names: Names<'a>,
    line: Option<UsbLine<'a, Usbd<Controller>>>,
}

impl<'a> CabledLine<'a> {
    /// Begins to look for a cable.
    pub fn open(bus: &'a Bus, board: &Identity<'a>) -> Self {
        write(CRYSTAL_START, 1);
        CabledLine {
            bus,
            names: Names {
                numbers: NUMBERS,
                product: board.name,
                serial: board.serial,
            },
            line: None,
        }
    }

    fn line(&mut self) -> Option<&mut UsbLine<'a, Usbd<Controller>>> {
        const HAS_POWER_AND_IS_STABLE: u32 = 0b11;
        if self.line.is_none()
            && read(USB_SUPPLY) & HAS_POWER_AND_IS_STABLE == HAS_POWER_AND_IS_STABLE
            && read(CRYSTAL_STARTED) != 0
        {
            self.line = Some(UsbLine::open(self.bus, self.names));
        }
        self.line.as_mut()
    }
}

impl Line for CabledLine<'_> {
    fn read(&mut self, bytes: &mut [u8; PIECE], conversation: Conversation) -> usize {
        self.line().map_or(0, |line| line.read(bytes, conversation))
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        self.line().map_or(0, |line| line.write(bytes))
    }

    fn flush(&mut self) {
        if let Some(line) = &mut self.line {
            line.flush();
        }
    }

    fn is_drained(&self) -> bool {
        self.line.as_ref().is_none_or(Line::is_drained)
    }

    fn wants_bootloader(&self) -> bool {
        self.line.as_ref().is_some_and(Line::wants_bootloader)
    }
}

/// Leaves controller and crystal as after a reset.
pub(crate) fn stop() {
    write(USBD_PULL_UP, 0);
    write(USBD_ENABLE, 0);
    write(CRYSTAL_STOP, 1);
    write(CRYSTAL_STARTED, 0);
}
