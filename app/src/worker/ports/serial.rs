//! Web Serial in the worker: ports that are opened, read, written and closed. The window's part is `web_serial.rs`; no
//! other file names its types.
//!
//! What it does about the API's ways:
//! - after break, framing, parity and overrun errors the port lives on with a new reader,
//! - a stream that ends without an error is a loss like any other,
//! - after a re-plug a port is a new object: only ports that are plugged in are compared,
//! - the default buffer of 255 bytes stalls: a large one is asked for,
//! - closing: cancel the reader, abort the writer, release both, then close.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bootlace_engine::PortInfo;
use bootlace_page_parts::web_api::{error_name, of_navigator, settled};
use js_sys::{Array, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::{ReadableStreamDefaultReader, Serial, SerialOptions, SerialPort, WritableStreamDefaultWriter};

use super::arrival::{Arrival, Arrivals, OpenError};
use super::closing::in_time;
use super::locks::{self, Guard};
use crate::web_serial::NAME;
use crate::worker::scope::scope;

/// The usual speed of a serial port; a USB port takes any.
const BAUD_RATE: u32 = 115_200;
/// Bytes that the browser holds for the page.
const BUFFER_BYTES: u32 = 256 * 1024;

fn serial() -> Option<Serial> {
    of_navigator(scope().navigator().as_ref(), NAME)
}

/// Calls back whenever a port is plugged in or out.
pub(crate) fn on_change(changed: impl FnMut() + 'static) {
    let Some(serial) = serial() else { return };
    let heard = Closure::<dyn FnMut()>::new(changed);
    // Registered plainly and for good: with `once` it never fires here.
    serial.set_onconnect(Some(heard.as_ref().unchecked_ref()));
    serial.set_ondisconnect(Some(heard.as_ref().unchecked_ref()));
    heard.forget();
}

/// The ports that this page may use and that are plugged in.
pub(crate) async fn ports() -> Vec<Port> {
    let Some(serial) = serial() else { return Vec::new() };
    let ports = settled(serial.get_ports()).await;
    ports
        .map(|ports| {
            let ports: Array = ports.unchecked_into();
            ports.iter().map(|port| Port(port.unchecked_into())).collect()
        })
        .unwrap_or_default()
}

/// A port that can be opened.
#[derive(Clone, PartialEq)]
pub(crate) struct Port(SerialPort);

impl Port {
    /// USB vendor and product id, where it has them.
    pub(super) fn usb(&self) -> Option<(u16, u16)> {
        let info = self.0.get_info();
        info.get_usb_vendor_id().zip(info.get_usb_product_id())
    }

    /// Opens it.
    pub(super) async fn open(&self, arrivals: Arrivals) -> Result<Link, OpenError> {
        let options = SerialOptions::new(BAUD_RATE);
        options.set_buffer_size(BUFFER_BYTES);
        if settled(self.0.open(&options)).await.is_err() {
            let there = ports().await.contains(self);
            return Err(if there { OpenError::Busy } else { OpenError::Gone });
        }
        let writer = self.0.writable().get_writer().map_err(|_| OpenError::Gone)?;
        let shared = Rc::new(Shared {
            closing: Cell::new(false),
            reader: RefCell::new(None),
        });
        spawn_local(read(self.0.clone(), shared.clone(), arrivals.clone()));
        Ok(Link {
            port: self.clone(),
            writer,
            shared,
            arrivals,
            _held: locks::hold(&locks::name(self.usb())),
        })
    }
}

struct Shared {
    closing: Cell<bool>,
    reader: RefCell<Option<ReadableStreamDefaultReader>>,
}

/// Reads until the port is lost or closed.
async fn read(port: SerialPort, shared: Rc<Shared>, arrivals: Arrivals) {
    while !shared.closing.get() {
        let stream = port.readable();
        // A stream that is gone for good is null, whatever the binding says.
        if AsRef::<JsValue>::as_ref(&stream).is_null() {
            break;
        }
        let reader: ReadableStreamDefaultReader = stream.get_reader().unchecked_into();
        *shared.reader.borrow_mut() = Some(reader.clone());
        let goes_on = read_with(&reader, &arrivals).await;
        shared.reader.borrow_mut().take();
        reader.release_lock();
        if !goes_on {
            break;
        }
    }
    if !shared.closing.get() {
        _ = arrivals.unbounded_send(Arrival::Lost);
    }
}

/// Reads until the stream ends; whether another reader would go on.
async fn read_with(reader: &ReadableStreamDefaultReader, arrivals: &Arrivals) -> bool {
    loop {
        match settled(reader.read()).await {
            Ok(result) => {
                let result: &JsValue = result.as_ref();
                let done = Reflect::get(result, &"done".into()).is_ok_and(|done| done.is_truthy());
                let value = Reflect::get(result, &"value".into()).ok();
                let Some(bytes) = value
                    .and_then(|value| value.dyn_into::<Uint8Array>().ok())
                    .filter(|_| !done)
                else {
                    return false;
                };
                if arrivals.unbounded_send(Arrival::Bytes(bytes.to_vec())).is_err() {
                    return false;
                }
            }
            Err(error) => {
                let name = error_name(error.as_ref());
                let passing = ["BreakError", "FramingError", "ParityError", "BufferOverrunError"];
                return passing.contains(&name.as_str());
            }
        }
    }
}

/// An open port.
pub(crate) struct Link {
    port: Port,
    writer: WritableStreamDefaultWriter,
    shared: Rc<Shared>,
    arrivals: Arrivals,
    _held: Guard,
}

impl Link {
    /// What the session is told about it.
    pub(super) fn info(&self) -> PortInfo {
        let usb = self.port.usb();
        PortInfo {
            vid: usb.map(|usb| usb.0),
            pid: usb.map(|usb| usb.1),
            baud: Some(BAUD_RATE),
        }
    }

    /// Sends bytes, in order. They are on their way when this returns; only the board's answer says that they arrived.
    pub(super) fn send(&self, bytes: &[u8]) {
        let written = self.writer.write_with_chunk(&Uint8Array::from(bytes));
        let (arrivals, shared) = (self.arrivals.clone(), self.shared.clone());
        spawn_local(async move {
            if settled(written).await.is_err() && !shared.closing.get() {
                _ = arrivals.unbounded_send(Arrival::Lost);
            }
        });
    }

    /// Closes it, as far as a port that may be gone can be.
    pub(super) async fn close(self) {
        self.shared.closing.set(true);
        let closing = async {
            let reader = self.shared.reader.borrow().clone();
            if let Some(reader) = reader {
                _ = settled(reader.cancel()).await;
            }
            _ = settled(self.writer.abort()).await;
            self.writer.release_lock();
            // The reader's own task releases it after the cancelled read has returned.
            while self.shared.reader.borrow().is_some() {
                gloo::timers::future::TimeoutFuture::new(1).await;
            }
            _ = settled(self.port.0.close()).await;
        };
        in_time(Box::pin(closing)).await;
    }
}
