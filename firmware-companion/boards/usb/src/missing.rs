//! Standard requests of interfaces and endpoints that the device does not have: the stack answers them as if it had, where USB 2.0
//! (9.4) asks for a stall.

use usb_device::Result;
use usb_device::bus::UsbBus;
use usb_device::class::{ControlIn, ControlOut, UsbClass};
use usb_device::control::{Recipient, Request, RequestType};
use usb_device::endpoint::EndpointAddress;

/// Refuses them. To be asked before all other classes.
pub(crate) struct Missing {
    interfaces: u16,
    /// Endpoints that there are, one bit each: those from the host by their number, those to the host 16 bits above.
    endpoints: u32,
}

impl Missing {
    /// There are so many interfaces, and these endpoints beside the two of control transfers.
    pub(crate) fn but(interfaces: u16, endpoints: impl IntoIterator<Item = EndpointAddress>) -> Self {
        const OF_CONTROL: u32 = 1 | 1 << 16;
        let bits = endpoints.into_iter().map(|endpoint| bit(endpoint.into()));
        Missing {
            interfaces,
            endpoints: bits.fold(OF_CONTROL, |all, bit| all | bit),
        }
    }

    fn is_missing(&self, request: &Request) -> bool {
        request.request_type == RequestType::Standard
            && match request.recipient {
                Recipient::Interface => request.index >= self.interfaces,
                Recipient::Endpoint => match u8::try_from(request.index) {
                    Ok(address) => bit(address) & self.endpoints == 0,
                    Err(_) => true,
                },
                _ => false,
            }
    }
}

/// The bit of an address in [`Missing::endpoints`]; none of what is no address.
fn bit(address: u8) -> u32 {
    const TO_HOST: u8 = 0x80;
    const RESERVED: u8 = 0x70;
    let direction = if address & TO_HOST == 0 { 0 } else { 16 };
    match address & RESERVED {
        0 => 1 << (address & 15) << direction,
        _ => 0,
    }
}

impl<B: UsbBus> UsbClass<B> for Missing {
    fn control_in(&mut self, transfer: ControlIn<B>) {
        if self.is_missing(transfer.request()) {
            // What fails here fails because the host has given the transfer up.
            let _: Result<()> = transfer.reject();
        }
    }

    fn control_out(&mut self, transfer: ControlOut<B>) {
        if self.is_missing(transfer.request()) {
            let _: Result<()> = transfer.reject();
        }
    }
}
