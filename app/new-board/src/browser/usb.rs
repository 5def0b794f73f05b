//! A chip in its loader over WebUSB: chosen, opened, and told what an installation wants.
//!
//! A transfer can't be taken back in WebUSB. One that takes too long is left to itself, and ends when the device is closed.

use std::time::Duration;

use bootlace_loader::{Action, Broken, Setup};
use bootlace_page_parts::web_api::{error_name, of_window, settled};
use futures_util::future::{Either, select};
use gloo::timers::future::TimeoutFuture;
use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{
    Usb, UsbAlternateInterface, UsbConnectionEvent, UsbControlTransferParameters, UsbDevice, UsbDeviceFilter,
    UsbDeviceRequestOptions, UsbDirection, UsbEndpoint, UsbInTransferResult, UsbInterface,
    UsbOutTransferResult, UsbRecipient, UsbRequestType, UsbTransferStatus,
};

use super::Unopened;
use super::files::message;

/// How long a device is looked for after a failed transfer: a hub tells of an unplugged one within a quarter of a second.
const GONE_TRIES: u32 = 10;
const GONE_MILLIS: u32 = 100;

/// What a loader shows itself as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// Vendor and product number.
    pub(crate) numbers: (u16, u16),
    /// Class, subclass and protocol of its interface.
    pub(crate) interface: (u8, u8, u8),
}

/// A loader that can be opened.
pub(crate) struct Loader {
    device: UsbDevice,
    /// Number of its interface.
    pub(crate) interface: u8,
    endpoints: Option<Endpoints>,
}

/// The numbers of both bulk endpoints, and the packets of the first one.
#[derive(Clone, Copy, Default)]
struct Endpoints {
    from_chip: u8,
    to_chip: u8,
    packet: u32,
}

fn items<T: JsCast>(array: impl Into<JsValue>) -> impl Iterator<Item = T> {
    let array: Array = array.into().unchecked_into();
    array.into_iter().map(JsCast::unchecked_into)
}

/// Has the person choose a loader; where the page may use exactly one that is plugged in, that one is meant. Only with a click.
///
/// # Errors
/// There is none.
pub(crate) async fn choose(kind: Kind) -> Result<Loader, Unopened> {
    let usb: Usb = of_window("usb").ok_or(Unopened::NotThere)?;
    let granted = settled(usb.get_devices()).await.map_err(|_| Unopened::NotThere)?;
    let mut known = items::<UsbDevice>(granted).filter(|device| numbers(device) == kind.numbers);
    let device = match (known.next(), known.next()) {
        (Some(device), None) => device,
        _ => ask(&usb, kind).await?,
    };
    Loader::of(device, kind).ok_or(Unopened::Another)
}

async fn ask(usb: &Usb, kind: Kind) -> Result<UsbDevice, Unopened> {
    let filter = UsbDeviceFilter::new();
    filter.set_vendor_id(kind.numbers.0);
    filter.set_product_id(kind.numbers.1);
    let options = UsbDeviceRequestOptions::new(&[filter]);
    match settled(usb.request_device(&options)).await {
        Ok(device) => Ok(device.unchecked_into()),
        Err(error) if error_name(&error) == "NotFoundError" => Err(Unopened::NotChosen),
        Err(_) => Err(Unopened::NotThere),
    }
}

fn numbers(device: &UsbDevice) -> (u16, u16) {
    (device.vendor_id(), device.product_id())
}

/// Calls back when this device is unplugged, until it is dropped.
pub(crate) struct Watch {
    usb: Usb,
    heard: Closure<dyn FnMut(UsbConnectionEvent)>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        let heard = self.heard.as_ref().unchecked_ref();
        _ = self.usb.remove_event_listener_with_callback("disconnect", heard);
    }
}

impl Loader {
    /// Where this device has an interface of its kind.
    fn of(device: UsbDevice, kind: Kind) -> Option<Self> {
        let first = items::<web_sys::UsbConfiguration>(device.configurations()).next()?;
        let (interface, setting) = items::<UsbInterface>(first.interfaces()).find_map(|interface| {
            let setting = items::<UsbAlternateInterface>(interface.alternates()).next()?;
            let its = (
                setting.interface_class(),
                setting.interface_subclass(),
                setting.interface_protocol(),
            );
            (its == kind.interface).then(|| (interface.interface_number(), setting))
        })?;
        let endpoint = |direction| {
            items::<UsbEndpoint>(setting.endpoints()).find(|endpoint| endpoint.direction() == direction)
        };
        let endpoints = endpoint(UsbDirection::In).zip(endpoint(UsbDirection::Out));
        let endpoints = endpoints.map(|(from_chip, to_chip)| Endpoints {
            from_chip: from_chip.endpoint_number(),
            to_chip: to_chip.endpoint_number(),
            packet: from_chip.packet_size().max(1),
        });
        Some(Loader {
            device,
            interface,
            endpoints,
        })
    }

    /// Claims its interface, which one program can have.
    ///
    /// # Errors
    /// It is not there, not allowed or busy.
    pub(crate) async fn open(&self) -> Result<(), Unopened> {
        let opened = async {
            settled(self.device.open()).await?;
            if self.device.configuration().is_none() {
                settled(self.device.select_configuration(1)).await?;
            }
            settled(self.device.claim_interface(self.interface)).await
        };
        let Err(error) = opened.await else { return Ok(()) };
        self.close().await;
        Err(match error_name(&error).as_str() {
            "NotFoundError" => Unopened::Gone,
            "SecurityError" => Unopened::Denied,
            _ => Unopened::Busy,
        })
    }

    /// Closes it, as far as a device that may be gone can be.
    pub(crate) async fn close(&self) {
        let closed = settled(self.device.close());
        _ = select(closed, TimeoutFuture::new(2000)).await;
    }

    /// Has `gone` called when it is unplugged.
    pub(crate) fn watch(&self, mut gone: impl FnMut() + 'static) -> Option<Watch> {
        let usb: Usb = of_window("usb")?;
        let device = self.device.clone();
        let heard = Closure::<dyn FnMut(UsbConnectionEvent)>::new(move |event: UsbConnectionEvent| {
            if event.device() == device {
                gone();
            }
        });
        // Registered plainly: with `once` it never fires here.
        let registered = usb.add_event_listener_with_callback("disconnect", heard.as_ref().unchecked_ref());
        registered.ok().map(|()| Watch { usb, heard })
    }

    /// Does an action, which may take so long.
    ///
    /// # Errors
    /// Why nothing came of it.
    pub(crate) async fn perform(&self, action: Action, limit: Duration) -> Result<Vec<u8>, Broken> {
        let millis = u32::try_from(limit.as_millis()).unwrap_or(u32::MAX);
        let done = Box::pin(self.act(action));
        match select(done, TimeoutFuture::new(millis)).await {
            Either::Left((Ok(done), _)) => done,
            Either::Left((Err(error), _)) => Err(self.broken(&error).await),
            Either::Right(_) => Err(Broken::Silent),
        }
    }

    /// What an error means. Of a device that was unplugged in the middle of a transfer, Chromium on Linux says what it says of any
    /// failed transfer (NetworkError): whether the device is still there, shows a moment later.
    async fn broken(&self, error: &JsValue) -> Broken {
        if matches!(
            error_name(error).as_str(),
            "NotFoundError" | "AbortError" | "InvalidStateError"
        ) {
            return Broken::Gone;
        }
        for _ in 0..GONE_TRIES {
            if !self.is_there().await {
                return Broken::Gone;
            }
            TimeoutFuture::new(GONE_MILLIS).await;
        }
        Broken::System(message(error))
    }

    async fn is_there(&self) -> bool {
        let Some(usb) = of_window::<Usb>("usb") else {
            return false;
        };
        let Ok(devices) = settled(usb.get_devices()).await else {
            return false;
        };
        items::<UsbDevice>(devices).any(|device| device == self.device)
    }

    /// The result of an action, or the browser's error.
    async fn act(&self, action: Action) -> Result<Result<Vec<u8>, Broken>, JsValue> {
        let device = &self.device;
        let Endpoints {
            from_chip,
            to_chip,
            packet,
        } = match (self.endpoints, &action) {
            (Some(endpoints), _) => endpoints,
            (None, Action::Out(_) | Action::In(_) | Action::ClearHalts) => {
                return Ok(Err(Broken::System("it has no bulk endpoints".into())));
            }
            (None, _) => Endpoints::default(),
        };
        match action {
            Action::ControlIn(setup, len) => {
                let done = settled(device.control_transfer_in(&parameters(setup), len));
                Ok(came(done.await?))
            }
            Action::ControlOut(setup, bytes) => {
                let bytes = Uint8Array::from(bytes.as_slice());
                let sent = device.control_transfer_out_with_u8_array(&parameters(setup), &bytes)?;
                Ok(went(settled(sent).await?))
            }
            Action::Out(bytes) => {
                let bytes = Uint8Array::from(bytes.as_slice());
                let sent = device.transfer_out_with_u8_array(to_chip, &bytes)?;
                Ok(went(settled(sent).await?))
            }
            Action::In(len) => {
                // Whole packets are asked for: a longer answer than expected is seen, and not an error of the system.
                let room = len.max(1).next_multiple_of(packet);
                Ok(came(settled(device.transfer_in(from_chip, room)).await?))
            }
            Action::Setting(alternate) => {
                settled(device.select_alternate_interface(self.interface, alternate)).await?;
                Ok(Ok(Vec::new()))
            }
            Action::ClearHalts => {
                settled(device.clear_halt(UsbDirection::In, from_chip)).await?;
                settled(device.clear_halt(UsbDirection::Out, to_chip)).await?;
                Ok(Ok(Vec::new()))
            }
        }
    }
}

fn parameters(setup: Setup) -> UsbControlTransferParameters {
    let kind = match setup.kind >> 5 & 3 {
        0 => UsbRequestType::Standard,
        1 => UsbRequestType::Class,
        _ => UsbRequestType::Vendor,
    };
    let recipient = match setup.kind & 31 {
        0 => UsbRecipient::Device,
        1 => UsbRecipient::Interface,
        2 => UsbRecipient::Endpoint,
        _ => UsbRecipient::Other,
    };
    UsbControlTransferParameters::new(setup.index, recipient, setup.request, kind, setup.value)
}

/// What came from the chip.
fn came(result: JsValue) -> Result<Vec<u8>, Broken> {
    let result: UsbInTransferResult = result.unchecked_into();
    ended(result.status())?;
    let bytes = result.data().map(|data| {
        let (from, len) = (data.byte_offset() as u32, data.byte_length() as u32);
        Uint8Array::new_with_byte_offset_and_length(&data.buffer(), from, len).to_vec()
    });
    Ok(bytes.unwrap_or_default())
}

/// What went to the chip.
fn went(result: JsValue) -> Result<Vec<u8>, Broken> {
    let result: UsbOutTransferResult = result.unchecked_into();
    ended(result.status()).map(|()| Vec::new())
}

fn ended(status: UsbTransferStatus) -> Result<(), Broken> {
    match status {
        UsbTransferStatus::Ok => Ok(()),
        UsbTransferStatus::Stall => Err(Broken::Stalled),
        _ => Err(Broken::System("more came than was asked for".into())),
    }
}
