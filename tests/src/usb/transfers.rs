//! Transfers to a device: an emulated board's, by its USB host (`tests/rp2040/usb_socket.mjs`), or a model's.

use std::fmt::Debug;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// What is asked of the board.
#[derive(Clone, Debug)]
pub(super) enum Transfer {
    /// A control transfer: its setup packet, and what goes to the device.
    Control([u8; 8], Vec<u8>),
    /// Bytes from an endpoint, at most so many.
    In(u8, usize),
    /// Bytes to an endpoint.
    Out(u8, Vec<u8>),
    /// Sets an endpoint going again, on both sides.
    ClearHalt(u8),
    /// Chooses a setting of an interface, and starts these endpoints of it anew.
    Setting {
        interface: u8,
        alternate: u8,
        endpoints: Vec<u8>,
    },
}

/// How a transfer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Done,
    Stall,
    /// The device answers nothing at all.
    Silence,
    Gone,
    /// The device sent more than was asked for.
    Overflow,
    Cancelled,
}

/// The way to a device: transfers and their ends, by number.
pub(super) trait Wire: Debug + Send {
    /// Begins a transfer. A device that is gone ends all of its transfers when it is unplugged.
    fn begin(&mut self, id: u64, transfer: &Transfer);

    /// Takes a transfer back; its end is told like any other.
    fn cancel(&mut self, id: u64);
}

/// Who is told of each end, with what came until then.
pub(super) type Heard = Box<dyn FnMut(u64, End, Vec<u8>) + Send>;

/// What a cable is plugged into.
pub(super) trait Plugged: Send {
    /// The number of the arrival, once the device is there by a later one than `served`; `None`: not within `limit`.
    fn next(&self, served: u32, limit: Duration) -> Option<u32>;

    /// Whether the device has left since that arrival; waits for that, at most `limit`.
    fn is_over(&self, arrival: u32, limit: Duration) -> bool;

    /// The way to it.
    ///
    /// # Errors
    /// When it is not there.
    fn wire(&self, heard: Heard) -> Result<Box<dyn Wire>>;
}

/// The way to the emulated board's host.
#[derive(Debug)]
pub(super) struct Socket(UnixStream);

impl Socket {
    /// Connects; `heard` is told of each end from a thread of its own, until the board goes.
    ///
    /// # Errors
    /// When the emulator is not there.
    pub(super) fn new(socket: &Path, mut heard: Heard) -> Result<Self> {
        let stream = UnixStream::connect(socket).context("the emulator's USB")?;
        let lines = BufReader::new(stream.try_clone()?).lines();
        std::thread::spawn(move || {
            for line in lines.map_while(std::io::Result::ok) {
                let line: Value = serde_json::from_str(&line).unwrap_or_default();
                let data = bytes(line["data"].as_str().unwrap_or_default());
                heard(
                    line["id"].as_u64().unwrap_or_default(),
                    end(line["why"].as_str()),
                    data,
                );
            }
        });
        Ok(Socket(stream))
    }

    fn say(&mut self, line: &Value) {
        writeln!(self.0, "{line}").ok();
    }
}

impl Wire for Socket {
    fn begin(&mut self, id: u64, transfer: &Transfer) {
        self.say(&match transfer {
            Transfer::Control(setup, data) => {
                json!({ "id": id, "endpoint": 0, "setup": hex(setup), "data": hex(data) })
            }
            Transfer::In(endpoint, length) => json!({ "id": id, "endpoint": endpoint, "length": length }),
            Transfer::Out(endpoint, data) => json!({ "id": id, "endpoint": endpoint, "data": hex(data) }),
            Transfer::ClearHalt(endpoint) => json!({ "id": id, "clearHalt": endpoint }),
            Transfer::Setting {
                interface,
                alternate,
                endpoints,
            } => {
                json!({ "id": id, "interface": interface, "alternate": alternate, "endpoints": endpoints })
            }
        });
    }

    fn cancel(&mut self, id: u64) {
        self.say(&json!({ "cancel": id }));
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.0.shutdown(std::net::Shutdown::Both).ok();
    }
}

fn end(why: Option<&str>) -> End {
    match why {
        None => End::Done,
        Some("stall") => End::Stall,
        Some("gone") => End::Gone,
        Some("overflow") => End::Overflow,
        Some("cancelled") => End::Cancelled,
        Some(_) => End::Silence,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(text: &str) -> Vec<u8> {
    let (pairs, _) = text.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    pairs.iter().filter_map(byte).collect()
}
