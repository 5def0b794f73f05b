//! An open way to a board, whichever it is.

use std::collections::VecDeque;

use crate::address::Address;
use crate::input::Inputs;
use crate::serial::SerialLink;
use crate::unusable::Unusable;
use crate::usb::UsbLink;

/// An open port.
#[derive(Debug)]
pub(crate) struct Port {
    /// Which of all that were opened.
    pub(crate) number: u64,
    link: Link,
}

#[derive(Debug)]
enum Link {
    Serial(SerialLink),
    Usb(UsbLink),
}

impl Port {
    /// Opens a port for nobody else. `baud` is a serial port's speed in bits per second.
    ///
    /// # Errors
    /// It is not there, not allowed or busy.
    pub(crate) fn open(address: &Address, baud: u32, inputs: Inputs) -> Result<Self, Unusable> {
        let number = inputs.number;
        let link = match address {
            Address::Serial(path) => Link::Serial(SerialLink::open(path, baud, inputs)?),
            Address::Usb(board) => Link::Usb(UsbLink::open(board, inputs)?),
        };
        Ok(Port { number, link })
    }

    /// Writes what goes at once, in order; `false` if the port is gone.
    pub(crate) fn write(&mut self, outgoing: &mut VecDeque<u8>) -> bool {
        match &mut self.link {
            Link::Serial(link) => link.write(outgoing),
            Link::Usb(link) => link.write(outgoing),
        }
    }
}
