//! The way to a board: a serial port, a vendor interface, or the simulated board's.
//!
//! A new transport is a variant here, and [`ports`] lists its ports; the window has its chooser (`web_serial.rs`, `web_usb.rs`).

mod arrival;
mod closing;
mod locks;
mod serial;
mod simulated;
mod usb;

use std::cell::Cell;
use std::rc::Rc;

use bootlace_engine::PortInfo;
use gloo::timers::future::TimeoutFuture;

pub(super) use arrival::Arrival;
use arrival::{Arrivals, OpenError};
pub(super) use simulated::Device;

use crate::messages::{PageError, Via};

/// A port that can be opened.
#[derive(Clone)]
pub(super) enum Port {
    /// Web Serial.
    Serial(serial::Port),
    /// WebUSB.
    Usb(usb::Port),
    /// A simulated board's.
    Simulated(Rc<Device>),
}

// Whether it is this very port, as long as it is plugged in: after a re-plug it is another one.
impl PartialEq for Port {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Port::Serial(one), Port::Serial(other)) => one == other,
            (Port::Usb(one), Port::Usb(other)) => one == other,
            (Port::Simulated(one), Port::Simulated(other)) => Rc::ptr_eq(one, other),
            _ => false,
        }
    }
}

/// Calls back whenever a port is plugged in or out.
pub(super) fn on_change(changed: impl FnMut() + Clone + 'static) {
    serial::on_change(changed.clone());
    usb::on_change(changed);
}

thread_local! {
    /// Serial ports are left alone.
    static SERIAL_LEFT: Cell<bool> = const { Cell::new(false) };
}

/// Has serial ports left alone from now on, or no longer: those that are open stay so.
pub(super) fn leave_serial(left: bool) {
    SERIAL_LEFT.set(left);
}

/// The ports that this page may use and that are plugged in: where a board has two, its better one first.
pub(super) async fn ports() -> Vec<Port> {
    let usb = usb::ports().await.into_iter().map(Port::Usb);
    let serial = serial::ports().await.into_iter().map(Port::Serial);
    usb.chain(serial.filter(|_| !SERIAL_LEFT.get())).collect()
}

impl Port {
    /// USB vendor and product id, where it has them.
    fn usb(&self) -> Option<(u16, u16)> {
        match self {
            Port::Serial(port) => port.usb(),
            Port::Usb(port) => Some(port.usb()),
            Port::Simulated(_) => None,
        }
    }

    /// Whether one is the serial port and the other the vendor interface of devices with the same numbers: perhaps of the
    /// same board, which only the board can say.
    pub(super) fn may_be_twin_of(&self, other: &Port) -> bool {
        let is_pair = matches!(
            (self, other),
            (Port::Serial(_), Port::Usb(_)) | (Port::Usb(_), Port::Serial(_))
        );
        is_pair && self.usb() == other.usb()
    }

    /// What the page says about it.
    pub(super) fn via(&self) -> Via {
        match self {
            Port::Serial(port) => Via::Serial(port.usb()),
            Port::Usb(port) => Via::Usb(port.usb()),
            Port::Simulated(_) => Via::Simulated,
        }
    }

    /// Opens it.
    pub(super) async fn open(&self, arrivals: Arrivals) -> Result<Link, OpenError> {
        match self {
            Port::Serial(port) => port.open(arrivals).await.map(Link::Serial),
            Port::Usb(port) => port.open(arrivals).await.map(Link::Usb),
            Port::Simulated(device) => device.open(arrivals).map(Link::Simulated),
        }
    }
}

/// An open port.
pub(super) enum Link {
    /// Web Serial.
    Serial(serial::Link),
    /// WebUSB.
    Usb(usb::Link),
    /// A simulated board's.
    Simulated(simulated::Link),
}

impl Link {
    /// What the session is told about it.
    pub(super) fn info(&self) -> PortInfo {
        match self {
            Link::Serial(link) => link.info(),
            Link::Usb(link) => link.info(),
            Link::Simulated(link) => link.info(),
        }
    }

    /// Sends bytes. If that fails, the loss arrives like any other.
    pub(super) fn send(&self, bytes: Vec<u8>) {
        match self {
            Link::Serial(link) => link.send(&bytes),
            Link::Usb(link) => link.send(&bytes),
            Link::Simulated(link) => link.send(bytes),
        }
    }

    /// Closes it; when this returns it can be opened again.
    pub(super) async fn close(self) {
        match self {
            Link::Serial(link) => link.close().await,
            Link::Usb(link) => link.close().await,
            Link::Simulated(_) => {}
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
    let mut last;
    loop {
        match port.open(arrivals.clone()).await {
            Ok(link) => return Ok(link),
            Err(OpenError::Gone) => return Err(PageError::PortVanished),
            Err(error) => last = error,
        }
        if !matches!(port, Port::Simulated(_)) && locks::held_elsewhere(&locks::name(port.usb())).await {
            return Err(PageError::OtherTab);
        }
        match (pauses.next(), last, port) {
            (Some(pause), ..) => TimeoutFuture::new(*pause).await,
            (None, OpenError::Denied, Port::Usb(port)) => return Err(PageError::UsbDenied(port.usb())),
            (None, _, Port::Usb(_)) => return Err(PageError::UsbBusy),
            (None, ..) => return Err(PageError::PortBusy),
        }
    }
}
