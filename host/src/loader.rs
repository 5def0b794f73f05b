//! A chip in its loader, on this machine's USB: found, opened, and told what an installation wants.

use std::time::Duration;

use bootlace_loader::{Action, Broken, Setup};
use nusb::transfer::{Buffer, Bulk, ControlIn, ControlOut, ControlType, In, Out, Recipient, TransferError};
use nusb::{DeviceInfo, Endpoint, Interface, MaybeFuture as _};

use crate::unusable::Unusable;
use crate::usb::{endpoints, unusable};

/// What a loader shows itself as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoaderKind {
    /// Vendor and product number.
    pub numbers: (u16, u16),
    /// Class, subclass and protocol of its interface.
    pub interface: (u8, u8, u8),
}

/// A chip in its loader.
#[derive(Clone, Debug)]
pub struct LoaderDevice {
    device: DeviceInfo,
    /// Number of its interface.
    pub interface: u8,
}

impl LoaderDevice {
    /// All that are plugged in.
    pub fn all(kind: LoaderKind) -> Vec<LoaderDevice> {
        // Where USB can't be listed at all, there are none.
        let devices = nusb::list_devices().wait().into_iter().flatten();
        devices
            .filter(|device| (device.vendor_id(), device.product_id()) == kind.numbers)
            .filter_map(|device| {
                let is_its =
                    |it: &&nusb::InterfaceInfo| (it.class(), it.subclass(), it.protocol()) == kind.interface;
                let interface = device.interfaces().find(is_its)?.interface_number();
                Some(LoaderDevice { device, interface })
            })
            .collect()
    }

    /// Where it is plugged in, and its numbers: its name for people.
    pub fn name(&self) -> String {
        let ports: Vec<String> = self.device.port_chain().iter().map(u8::to_string).collect();
        let (vendor, product) = (self.device.vendor_id(), self.device.product_id());
        format!(
            "usb:{vendor:04x}:{product:04x} at {}-{}",
            self.device.bus_id(),
            ports.join(".")
        )
    }

    /// Vendor and product number.
    pub fn numbers(&self) -> (u16, u16) {
        (self.device.vendor_id(), self.device.product_id())
    }

    /// Claims its interface, which one program can have.
    ///
    /// # Errors
    /// It is not there, not allowed or busy.
    pub fn open(&self) -> Result<LoaderLink, Unusable> {
        let device = self.device.open().wait().map_err(|error| unusable(&error))?;
        let interface = device.claim_interface(self.interface).wait();
        let interface = interface.map_err(|error| unusable(&error))?;
        // Some loaders need control transfers alone.
        let has_endpoints = interface.descriptor().is_some_and(|it| it.num_endpoints() > 0);
        let bulk = has_endpoints.then(|| endpoints(&interface)).transpose()?;
        Ok(LoaderLink { interface, bulk })
    }
}

/// An open loader.
#[derive(Debug)]
pub struct LoaderLink {
    interface: Interface,
    /// From the chip and to it.
    bulk: Option<(Endpoint<Bulk, In>, Endpoint<Bulk, Out>)>,
}

impl LoaderLink {
    /// Does an action, which may take so long.
    ///
    /// # Errors
    /// Why nothing came of it.
    pub fn perform(&mut self, action: Action, limit: Duration) -> Result<Vec<u8>, Broken> {
        match action {
            Action::ControlIn(setup, length) => {
                let (control_type, recipient) = kinds(setup);
                let data = ControlIn {
                    control_type,
                    recipient,
                    request: setup.request,
                    value: setup.value,
                    index: setup.index,
                    length,
                };
                self.interface.control_in(data, limit).wait().map_err(broken)
            }
            Action::ControlOut(setup, bytes) => {
                let (control_type, recipient) = kinds(setup);
                let data = ControlOut {
                    control_type,
                    recipient,
                    request: setup.request,
                    value: setup.value,
                    index: setup.index,
                    data: &bytes,
                };
                let done = self.interface.control_out(data, limit).wait();
                done.map(|()| Vec::new()).map_err(broken)
            }
            Action::Setting(alternate) => {
                let done = self.interface.set_alt_setting(alternate).wait();
                done.map(|()| Vec::new()).map_err(|error| broken_by(&error))
            }
            Action::Out(_) | Action::In(_) | Action::ClearHalts => match &mut self.bulk {
                Some((from_chip, to_chip)) => perform_bulk(action, limit, from_chip, to_chip),
                None => Err(Broken::System("its interface has no bulk endpoints".into())),
            },
        }
    }
}

/// An action at the bulk endpoints.
fn perform_bulk(
    action: Action,
    limit: Duration,
    from_chip: &mut Endpoint<Bulk, In>,
    to_chip: &mut Endpoint<Bulk, Out>,
) -> Result<Vec<u8>, Broken> {
    match action {
        Action::Out(bytes) => transfer(to_chip, bytes.into(), limit).map(|_| Vec::new()),
        Action::In(len) => {
            // Whole packets are asked for: a longer answer than expected is seen, and not an error of the system.
            let packet = from_chip.max_packet_size().max(1);
            let room = (len as usize).max(1).next_multiple_of(packet);
            transfer(from_chip, Buffer::new(room), limit)
        }
        _ => {
            let done = from_chip.clear_halt().wait();
            let done = done.and_then(|()| to_chip.clear_halt().wait());
            done.map(|()| Vec::new()).map_err(|error| broken_by(&error))
        }
    }
}

/// Why the system did not do what is no transfer.
fn broken_by(error: &nusb::Error) -> Broken {
    match error.kind() {
        nusb::ErrorKind::Disconnected | nusb::ErrorKind::NotFound => Broken::Gone,
        _ => Broken::System(error.to_string()),
    }
}

/// Type and recipient of a request.
fn kinds(setup: Setup) -> (ControlType, Recipient) {
    let control_type = match setup.kind >> 5 & 3 {
        0 => ControlType::Standard,
        1 => ControlType::Class,
        _ => ControlType::Vendor,
    };
    let recipient = match setup.kind & 31 {
        0 => Recipient::Device,
        1 => Recipient::Interface,
        2 => Recipient::Endpoint,
        _ => Recipient::Other,
    };
    (control_type, recipient)
}

/// One transfer to its end, or until it has taken too long.
fn transfer<D: nusb::transfer::EndpointDirection>(
    endpoint: &mut Endpoint<Bulk, D>,
    buffer: Buffer,
    limit: Duration,
) -> Result<Vec<u8>, Broken> {
    endpoint.submit(buffer);
    let Some(completion) = endpoint.wait_next_complete(limit) else {
        crate::usb::drain(endpoint);
        return Err(Broken::Silent);
    };
    completion.status.map_err(broken)?;
    Ok(completion.buffer.into_vec())
}

fn broken(error: TransferError) -> Broken {
    match error {
        TransferError::Stall => Broken::Stalled,
        TransferError::Disconnected => Broken::Gone,
        TransferError::Cancelled => Broken::Silent,
        other => Broken::System(other.to_string()),
    }
}
