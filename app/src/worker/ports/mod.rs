//! The way to a board: a serial port, or the simulated board's.
//!
//! A new transport is a variant here; `bench` lists its ports, and the window has its chooser (`web_serial.rs`).

mod arrival;
mod locks;
mod serial;
mod simulated;

use std::rc::Rc;

use bootlace_engine::PortInfo;
use gloo::timers::future::TimeoutFuture;

pub(super) use arrival::Arrival;
use arrival::{Arrivals, OpenError};
pub(super) use serial::{Port as SerialPort, on_change, ports as serial_ports};
pub(super) use simulated::Device;

use crate::messages::{PageError, Via};

/// A port that can be opened.
#[derive(Clone)]
pub(super) enum Port {
    /// Web Serial.
    Serial(SerialPort),
    /// A simulated board's.
    Simulated(Rc<Device>),
}

// Whether it is this very port, as long as it is plugged in: after a re-plug it is another one.
impl PartialEq for Port {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Port::Serial(one), Port::Serial(other)) => one == other,
            (Port::Simulated(one), Port::Simulated(other)) => Rc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl Port {
    /// What the page says about it.
    pub(super) fn via(&self) -> Via {
        match self {
            Port::Serial(port) => Via::Serial(port.usb()),
            Port::Simulated(_) => Via::Simulated,
        }
    }

    /// Opens it.
    pub(super) async fn open(&self, arrivals: Arrivals) -> Result<Link, OpenError> {
        match self {
            Port::Serial(port) => port.open(arrivals).await.map(Link::Serial),
            Port::Simulated(device) => device.open(arrivals).map(Link::Simulated),
        }
    }
}

/// An open port.
pub(super) enum Link {
    /// Web Serial.
    Serial(serial::Link),
    /// A simulated board's.
    Simulated(simulated::Link),
}

impl Link {
    /// What the session is told about it.
    pub(super) fn info(&self) -> PortInfo {
        match self {
            Link::Serial(link) => link.info(),
            Link::Simulated(link) => link.info(),
        }
    }

    /// Sends bytes. If that fails, the loss arrives like any other.
    pub(super) fn send(&self, bytes: Vec<u8>) {
        match self {
            Link::Serial(link) => link.send(&bytes),
            Link::Simulated(link) => link.send(bytes),
        }
    }

    /// Closes it; when this returns it can be opened again.
    pub(super) async fn close(self) {
        if let Link::Serial(link) = self {
            link.close().await;
        }
    }
}

/// Pauses between tries to open a port, in milliseconds: one that was plugged in just now is often busy for a moment,
/// on Linux for up to ten seconds.
const PATIENCE_MILLIS: [u32; 7] = [150, 350, 500, 1000, 2000, 3000, 3000];
/// The same when a person waits for the answer: the first few.
const TRIES_WHILE_A_PERSON_WAITS: usize = 4;

/// Opens a port. One that a person `asked` for is not tried for long.
pub(super) async fn open_patiently(port: &Port, arrivals: &Arrivals, asked: bool) -> Result<Link, PageError> {
    let mut pauses = PATIENCE_MILLIS.iter().take(if asked {
        TRIES_WHILE_A_PERSON_WAITS
    } else {
        PATIENCE_MILLIS.len()
    });
    loop {
        match port.open(arrivals.clone()).await {
            Ok(link) => return Ok(link),
            Err(OpenError::Gone) => return Err(PageError::PortVanished),
            Err(OpenError::Busy) => {}
        }
        if let Port::Serial(port) = port
            && locks::held_elsewhere(&port.lock_name()).await
        {
            return Err(PageError::OtherTab);
        }
        match pauses.next() {
            Some(pause) => TimeoutFuture::new(*pause).await,
            None => return Err(PageError::PortBusy),
        }
    }
}
