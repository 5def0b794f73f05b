//! A chip in its loader behind a serial port, over Web Serial.
//!
//! A read can't be taken back in Web Serial, but its reader can: what arrives later waits for the next one.

use std::time::Duration;

use bootlace_loader::{Action, Broken, Line, Parity};
use bootlace_page_parts::web_api::{error_name, of_window, settled};
use futures_util::future::{Either, select};
use gloo::timers::future::TimeoutFuture;
use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{
    ParityType, ReadableStreamDefaultReader, Serial, SerialOptions, SerialPort, SerialPortFilter,
    SerialPortRequestOptions, WritableStreamDefaultWriter,
};

use super::Unopened;
use super::files::message;

/// Bytes that the browser keeps until they are read: more than a loader says at once.
const BUFFER_BYTES: u32 = 64 * 1024;

/// What a stream is gone on with after: a line's trouble, not a port's.
const PASSING: [&str; 4] = ["BreakError", "FramingError", "ParityError", "BufferOverrunError"];

/// A port that can be opened.
pub(crate) struct Port {
    port: SerialPort,
    /// What has arrived and was not asked for.
    rest: Vec<u8>,
}

/// Has the person choose a port, of those with these USB numbers where they are known. Only with a click.
///
/// # Errors
/// There is none.
pub(crate) async fn choose(numbers: Option<(u16, u16)>) -> Result<Port, Unopened> {
    let serial: Serial = of_window("serial").ok_or(Unopened::NotThere)?;
    let options = SerialPortRequestOptions::new();
    if let Some((vendor, product)) = numbers {
        let filter = SerialPortFilter::new();
        filter.set_usb_vendor_id(vendor);
        filter.set_usb_product_id(product);
        options.set_filters(&[filter]);
    }
    match settled(serial.request_port_with_options(&options)).await {
        Ok(port) => Ok(Port {
            port: port.unchecked_into(),
            rest: Vec::new(),
        }),
        Err(error) if error_name(&error) == "NotFoundError" => Err(Unopened::NotChosen),
        Err(_) => Err(Unopened::NotThere),
    }
}

impl Port {
    /// Opens it as the loader wants it.
    ///
    /// # Errors
    /// Another program has it.
    pub(crate) async fn open(&self, line: Line) -> Result<(), Unopened> {
        let options = SerialOptions::new(line.baud);
        options.set_buffer_size(BUFFER_BYTES);
        options.set_parity(match line.parity {
            Parity::None => ParityType::None,
            Parity::Even => ParityType::Even,
        });
        let opened = settled(self.port.open(&options)).await;
        opened.map(drop).map_err(|_| Unopened::Busy)
    }

    /// Closes it, as far as a port that may be gone can be.
    pub(crate) async fn close(&self) {
        let closed = settled(self.port.close());
        _ = select(closed, TimeoutFuture::new(2000)).await;
    }

    /// Does an action, which may take so long.
    ///
    /// # Errors
    /// Why nothing came of it.
    pub(crate) async fn perform(&mut self, action: Action, limit: Duration) -> Result<Vec<u8>, Broken> {
        let millis = u32::try_from(limit.as_millis()).unwrap_or(u32::MAX);
        match action {
            Action::Out(bytes) => self.send(&bytes, millis).await.map(|()| Vec::new()),
            Action::In(len) => {
                if self.rest.is_empty() {
                    self.rest = self.receive(millis).await?;
                }
                let some = self.rest.len().min(len as usize);
                Ok(self.rest.drain(..some).collect())
            }
            _ => Err(Broken::System("a serial port has no such transfers".into())),
        }
    }

    async fn send(&self, bytes: &[u8], millis: u32) -> Result<(), Broken> {
        let writer = self.port.writable().get_writer().map_err(|_| Broken::Gone)?;
        let writer: WritableStreamDefaultWriter = writer.unchecked_into();
        let written = settled(writer.write_with_chunk(&Uint8Array::from(bytes)));
        let sent = match select(written, TimeoutFuture::new(millis)).await {
            Either::Left((Ok(_), _)) => Ok(()),
            Either::Left((Err(error), _)) => Err(broken(&error)),
            Either::Right(_) => Err(Broken::Silent),
        };
        writer.release_lock();
        sent
    }

    /// What arrives next.
    async fn receive(&self, millis: u32) -> Result<Vec<u8>, Broken> {
        let mut limit = TimeoutFuture::new(millis);
        loop {
            let stream = self.port.readable();
            // A stream that is gone for good is null, whatever the binding says.
            if AsRef::<JsValue>::as_ref(&stream).is_null() {
                return Err(Broken::Gone);
            }
            let reader: ReadableStreamDefaultReader = stream.get_reader().unchecked_into();
            let read = select(settled(reader.read()), limit).await;
            reader.release_lock();
            match read {
                Either::Left((Ok(result), rest)) => {
                    limit = rest;
                    let value = Reflect::get(&result, &"value".into()).unwrap_or_default();
                    match value.dyn_into::<Uint8Array>() {
                        Ok(bytes) if bytes.length() > 0 => return Ok(bytes.to_vec()),
                        Ok(_) => {}
                        // The stream has ended.
                        Err(_) => return Err(Broken::Gone),
                    }
                }
                Either::Left((Err(error), rest)) => {
                    if !PASSING.contains(&error_name(&error).as_str()) {
                        return Err(broken(&error));
                    }
                    limit = rest;
                }
                Either::Right(_) => return Err(Broken::Silent),
            }
        }
    }
}

fn broken(error: &JsValue) -> Broken {
    match error_name(error).as_str() {
        "NetworkError" | "AbortError" | "InvalidStateError" => Broken::Gone,
        _ => Broken::System(message(error)),
    }
}
