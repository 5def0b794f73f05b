//! The line: USB, from the controller that the chip calls OTG_FS.

use bootlace_core::board::Identity;
use bootlace_cortex_m::{Conversation, Line, PIECE};
use bootlace_usb::{Names, Restart, UsbLine};
use synopsys_usb_otg::{UsbBus, UsbPeripheral};
use usb_device::UsbDirection;
use usb_device::bus::UsbBusAllocator;
use usb_device::endpoint::EndpointAddress;

use crate::clocks::{PROCESSOR_HERTZ, is_by_pll};
use crate::pins::connect_usb;
use crate::registers::{USB, comes, read, write};

/// Vendor and product on USB: pid.codes' numbers for tests. A product has its own.
const NUMBERS: (u16, u16) = (0x1209, 0x0001);

/// Words of memory that the driver puts packets into which hosts sent: the three endpoints' largest.
pub const PACKETS: usize = 3 * PIECE / 4;

/// The controller, for its driver.
pub struct Controller;

#[allow(unsafe_code, reason = "the trait asks for it")]
// SAFETY: the address is that of the chip's OTG_FS, and nothing else uses the controller but `restart`, which the line
// calls between the driver's own steps.
unsafe impl UsbPeripheral for Controller {
    const REGISTERS: *const () = USB as *const ();
    const HIGH_SPEED: bool = false;
    const FIFO_DEPTH_WORDS: usize = 320;
    const ENDPOINT_COUNT: usize = 4;

    /// The clock is there: see `clocks`.
    fn enable() {
        connect_usb();
    }

    fn ahb_frequency_hz(&self) -> u32 {
        PROCESSOR_HERTZ
    }
}

/// The bus.
pub type Bus = UsbBusAllocator<UsbBus<Controller>>;

/// A bus that no host sees yet. The pin that tells whether there is power on the cable (PA9) is not asked: not every board
/// connects it.
pub fn bus(packets: &'static mut [u32; PACKETS]) -> Bus {
    UsbBus::new(Controller, packets)
}

/// The line of a board; a silent one without the PLL, whose clock the driver would wait for without end.
pub struct ClockedLine<'a>(Option<UsbLine<'a, UsbBus<Controller>, Controller>>);

impl<'a> ClockedLine<'a> {
    /// The host sees the board from now on.
    pub fn open(bus: &'a Bus, board: &Identity<'a>) -> Self {
        let names = Names {
            numbers: NUMBERS,
            product: board.name,
            serial: board.serial,
        };
        ClockedLine(is_by_pll().then(|| UsbLine::open(bus, names)))
    }
}

impl Line for ClockedLine<'_> {
    fn read(&mut self, bytes: &mut [u8; PIECE], conversation: Conversation) -> usize {
        (self.0.as_mut()).map_or(0, |line| line.read(bytes, conversation))
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        self.0.as_mut().map_or(0, |line| line.write(bytes))
    }

    fn flush(&mut self) {
        if let Some(line) = &mut self.0 {
            line.flush();
        }
    }

    fn is_drained(&self) -> bool {
        self.0.as_ref().is_none_or(Line::is_drained)
    }

    fn is_awaited(&self) -> bool {
        self.0.as_ref().is_some_and(Line::is_awaited)
    }

    fn wants_bootloader(&self) -> bool {
        self.0.as_ref().is_some_and(Line::wants_bootloader)
    }
}

/// Endpoints' registers, 32 bytes each: those to the host, those from the host. Of each: control, and interrupts.
const TO_HOST: usize = USB + 0x900;
const FROM_HOST: usize = USB + 0xB00;
const PER_ENDPOINT: usize = 0x20;
const INTERRUPTS: usize = 0x08;
/// Bits of an endpoint's control: answer NAK, packet numbers from 0, disable, enable. The last two are set and never cleared by
/// writing.
const NAK: u32 = 1 << 27;
const FROM_ZERO: u32 = 1 << 28;
const DISABLE: u32 = 1 << 30;
const ENABLE: u32 = 1 << 31;
/// Flushes FIFOs: one to the host, by its number.
const FLUSHING: usize = USB + 0x10;
const FLUSH: u32 = 1 << 5;
const NUMBER: u32 = 6;

/// The driver (0.5) does nothing but to end the halt (RM0090, 34.17.6, "IN endpoint disable").
impl Restart for Controller {
    fn restart(endpoint: EndpointAddress) {
        /// Some microseconds.
        const LOOKS: u32 = 1000;
        let place = PER_ENDPOINT * endpoint.index();
        let control = match endpoint.direction() {
            UsbDirection::Out => FROM_HOST + place,
            UsbDirection::In => TO_HOST + place,
        };
        let change = |bits| write(control, read(control) & !(ENABLE | DISABLE) | bits);
        if endpoint.is_in() && read(control) & ENABLE != 0 {
            const DISABLED: u32 = 1 << 1;
            change(NAK);
            change(NAK | DISABLE);
            comes(TO_HOST + place + INTERRUPTS, DISABLED, LOOKS);
            write(TO_HOST + place + INTERRUPTS, DISABLED);
            write(FLUSHING, FLUSH | (endpoint.index() as u32) << NUMBER);
            let _flushed = (0..LOOKS).any(|_| read(FLUSHING) & FLUSH == 0);
        }
        change(FROM_ZERO);
    }
}
