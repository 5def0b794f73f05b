//! WebUSB in the worker: boards' vendor interfaces that are opened, read, written and closed. The window's part is
//! `web_usb.rs`; no other file names its types.
//!
//! What it does about the API's ways:
//! - a transfer can't be taken back: closing the device ends all of them,
//! - a stalled endpoint is set going again, and the session asks again for what was lost,
//! - `open` fails with a SecurityError where the system lets this user not have the device, as Linux without a rule of udev,
//! - after a re-plug a device is a new object: only devices that are plugged in are compared.

use std::cell::Cell;
use std::rc::Rc;

use bootlace_engine::PortInfo;
use bootlace_engine::usb::{CLASS, PROTOCOL, SUBCLASS};
use bootlace_page_parts::web_api::{error_name, of_navigator, settled};
use futures_util::FutureExt;
use js_sys::{Array, ArrayIntoIter, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{
    Usb, UsbAlternateInterface, UsbDevice, UsbDirection, UsbEndpoint, UsbInTransferResult, UsbInterface,
    UsbOutTransferResult, UsbTransferStatus,
};

use super::arrival::{Arrival, Arrivals, OpenError};
use super::closing::in_time;
use super::locks::{self, Guard};
use crate::messages::LogFact;
use crate::web_usb::NAME;
use crate::worker::scope::{log, scope};

/// Bytes that one transfer from the board may bring: whole packets. A short packet ends it before.
const READ_BYTES: u32 = 4096;

fn usb() -> Option<Usb> {
    of_navigator(scope().navigator().as_ref(), NAME)
}

/// Calls back whenever a device is plugged in or out.
pub(crate) fn on_change(changed: impl FnMut() + 'static) {
    let Some(usb) = usb() else { return };
    let heard = Closure::<dyn FnMut()>::new(changed);
    // Registered plainly and for good: with `once` it never fires here.
    usb.set_onconnect(Some(heard.as_ref().unchecked_ref()));
    usb.set_ondisconnect(Some(heard.as_ref().unchecked_ref()));
    heard.forget();
}

/// The boards that this page may use and that are plugged in.
pub(crate) async fn ports() -> Vec<Port> {
    let Some(usb) = usb() else { return Vec::new() };
    let Ok(devices) = settled(usb.get_devices()).await else {
        return Vec::new();
    };
    items(devices)
        .filter_map(|device| Port::of(device.unchecked_into()))
        .collect()
}

/// Numbers of the vendor interface and of its endpoints.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    interface: u8,
    from_board: u8,
    to_board: u8,
}

/// A board that can be opened.
#[derive(Clone)]
pub(crate) struct Port {
    device: UsbDevice,
    place: Place,
}

impl PartialEq for Port {
    fn eq(&self, other: &Self) -> bool {
        self.device == other.device
    }
}

impl Port {
    fn of(device: UsbDevice) -> Option<Self> {
        let configurations = device.configurations();
        let first = configurations.iter().next()?;
        let place = first
            .interfaces()
            .iter()
            .find_map(|interface| place(&interface))?;
        Some(Port { device, place })
    }

    /// USB vendor and product id.
    pub(super) fn usb(&self) -> (u16, u16) {
        (self.device.vendor_id(), self.device.product_id())
    }

    /// Opens it.
    pub(super) async fn open(&self, arrivals: Arrivals) -> Result<Link, OpenError> {
        if let Err(error) = self.claim().await {
            let there = ports().await.contains(self);
            return Err(match error_name(error.as_ref()).as_str() {
                _ if !there => OpenError::Gone,
                "SecurityError" => OpenError::Denied,
                _ => OpenError::Busy,
            });
        }
        let (usb, closing) = (self.usb(), Rc::new(Cell::new(false)));
        spawn_local(read(self.clone(), closing.clone(), arrivals.clone()));
        Ok(Link {
            port: self.clone(),
            closing,
            arrivals,
            _held: locks::hold(&locks::name(Some(usb))),
        })
    }

    async fn claim(&self) -> Result<(), JsValue> {
        let device = &self.device;
        settled(device.open()).await?;
        let claim = async {
            if device.configuration().is_none() {
                settled(device.select_configuration(1)).await?;
            }
            settled(device.claim_interface(self.place.interface))
                .await
                .map(drop)
        };
        if let Err(error) = claim.await {
            // So that the next try finds the device as this one did.
            _ = settled(device.close()).await;
            return Err(error);
        }
        Ok(())
    }

    /// Sets an endpoint going again that the board has stalled.
    fn clear(&self, direction: UsbDirection, endpoint: u8) -> JsFuture {
        log(LogFact::Stalled);
        settled(self.device.clear_halt(direction, endpoint))
    }
}

/// The members of an array, untyped: the code for each type of array would weigh as much again.
fn items(array: impl Into<JsValue>) -> ArrayIntoIter {
    array.into().unchecked_into::<Array>().into_iter()
}

/// Where in this interface a board of ours would be.
fn place(interface: &UsbInterface) -> Option<Place> {
    let setting: UsbAlternateInterface = items(interface.alternates()).next()?.unchecked_into();
    let kind = (
        setting.interface_class(),
        setting.interface_subclass(),
        setting.interface_protocol(),
    );
    let endpoint = |direction| {
        let mut endpoints = items(setting.endpoints()).map(UsbEndpoint::unchecked_from_js);
        let found = endpoints.find(|endpoint| endpoint.direction() == direction);
        found.map(|endpoint| endpoint.endpoint_number())
    };
    (kind == (CLASS, SUBCLASS, PROTOCOL)).then_some(())?;
    Some(Place {
        interface: interface.interface_number(),
        from_board: endpoint(UsbDirection::In)?,
        to_board: endpoint(UsbDirection::Out)?,
    })
}

/// Reads until the board is lost or closed.
async fn read(port: Port, closing: Rc<Cell<bool>>, arrivals: Arrivals) {
    let endpoint = port.place.from_board;
    while let Ok(result) = settled(port.device.transfer_in(endpoint, READ_BYTES)).await {
        let result: UsbInTransferResult = result.unchecked_into();
        let status = result.status();
        if let Some(data) = result.data() {
            // A buffer of its own, which holds what came and no more.
            let bytes = Uint8Array::new(&data.buffer());
            if bytes.length() > 0 && arrivals.unbounded_send(Arrival::Bytes(bytes.to_vec())).is_err() {
                return;
            }
        }
        let goes_on = match status {
            UsbTransferStatus::Ok => true,
            UsbTransferStatus::Stall => port.clear(UsbDirection::In, endpoint).await.is_ok(),
            _ => false,
        };
        if !goes_on {
            break;
        }
    }
    if !closing.get() {
        _ = arrivals.unbounded_send(Arrival::Lost);
    }
}

/// An open board.
pub(crate) struct Link {
    port: Port,
    closing: Rc<Cell<bool>>,
    arrivals: Arrivals,
    _held: Guard,
}

impl Link {
    /// What the session is told about it.
    pub(super) fn info(&self) -> PortInfo {
        let (vendor, product) = self.port.usb();
        PortInfo {
            vid: Some(vendor),
            pid: Some(product),
            ..PortInfo::default()
        }
    }

    /// Sends bytes, in order. They are on their way when this returns; only the board's answer says that they arrived.
    pub(super) fn send(&self, bytes: &[u8]) {
        let endpoint = self.port.place.to_board;
        let sent = self
            .port
            .device
            .transfer_out_with_u8_array(endpoint, &Uint8Array::from(bytes));
        let (port, arrivals, closing) = (self.port.clone(), self.arrivals.clone(), self.closing.clone());
        spawn_local(async move {
            let sent = async { settled(sent?).await };
            let status = sent
                .await
                .map(|result| result.unchecked_into::<UsbOutTransferResult>().status());
            let goes_on = match status {
                Ok(UsbTransferStatus::Ok) => true,
                Ok(UsbTransferStatus::Stall) => port.clear(UsbDirection::Out, endpoint).await.is_ok(),
                _ => false,
            };
            if !goes_on && !closing.get() {
                _ = arrivals.unbounded_send(Arrival::Lost);
            }
        });
    }

    /// Closes it, as far as a board that may be gone can be.
    pub(super) async fn close(self) {
        self.closing.set(true);
        let closing = settled(self.port.device.close()).map(drop);
        in_time(closing.boxed_local()).await;
    }
}
