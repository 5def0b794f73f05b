//! The way to a board: a serial port, or the simulated board's.

use std::rc::Rc;

use bootlace_engine::PortInfo;
use futures_channel::mpsc::UnboundedSender;
use gloo::timers::future::TimeoutFuture;

use super::{locks, serial, simulated};
use crate::messages::Via;
use crate::words::PageError;

/// What comes out of an open port. The number is the one that it was opened with, so that the last words of a port
/// that was closed are not taken for the next one's.
#[derive(Debug)]
pub(super) enum Arrival {
    /// Bytes.
    Bytes(u32, Vec<u8>),
    /// The port is gone.
    Lost(u32),
}

/// Where arrivals go.
pub(super) type Arrivals = UnboundedSender<Arrival>;

/// Why a port could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OpenError {
    /// Somebody else has it.
    Busy,
    /// It is no longer there.
    Gone,
}

/// A port that can be opened.
#[derive(Clone)]
pub(super) enum Port {
    /// Web Serial.
    Serial(serial::Port),
    /// A simulated board's.
    Simulated(Rc<simulated::Device>),
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

    /// What the log calls it.
    pub(super) fn name(&self) -> String {
        match self.via() {
            Via::Serial(Some((vendor, product))) => format!("Port {vendor:04x}:{product:04x}"),
            Via::Serial(None) => "Port".into(),
            Via::Simulated => "Simulated board’s port".into(),
        }
    }

    /// Opens it.
    pub(super) async fn open(&self, arrivals: Arrivals, number: u32) -> Result<Link, OpenError> {
        match self {
            Port::Serial(port) => port.open(arrivals, number).await.map(Link::Serial),
            Port::Simulated(device) => device.open(arrivals, number).map(Link::Simulated),
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
const PATIENCE: [u32; 7] = [150, 350, 500, 1000, 2000, 3000, 3000];
/// The same when a person waits for the answer: the first few.
const IMPATIENCE: usize = 4;

/// Opens a board's first port. One that a person `asked` for is not tried for long.
pub(super) async fn open_first(port: &Port, arrivals: &Arrivals, asked: bool) -> Result<Link, PageError> {
    let mut pauses = PATIENCE
        .iter()
        .take(if asked { IMPATIENCE } else { PATIENCE.len() });
    loop {
        match port.open(arrivals.clone(), 0).await {
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
