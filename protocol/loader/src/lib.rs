//! Loaders: the programs in a chip, most of them in its ROM, that put the first content into its flash. What they have in
//! common: [`Request`]s about flash become [`Action`]s at a device, one at a time, without I/O of their own.
//!
//! Whoever drives a [`Loader`] gives it a request, then asks [`Loader::poll`] what to do, does it at the device, and hands what
//! came of it to [`Loader::handle`], until the request has ended.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

/// What is asked of a loader. Addresses are the chip's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Whatever was under way before is ended, and the loader made ready. The first request, and the first one after a fault.
    Begin,
    /// Erases one unit, as [`Loader::unit`] gave it.
    Erase(Unit),
    /// Writes bytes into erased flash.
    Write {
        /// Where the first one goes: so many times [`Shape::write`] behind the first byte of its unit.
        at: u32,
        /// Up to [`Shape::write`] bytes.
        bytes: Vec<u8>,
    },
    /// Reads bytes, which [`Step::Ended`] brings.
    Read {
        /// The first one: so many times [`Shape::read`] behind the first byte of its unit.
        at: u32,
        /// Up to [`Shape::read`].
        len: u32,
    },
    /// Starts what the flash holds. The device leaves.
    Leave,
}

/// What a loader can take at once, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// What is written at once.
    pub write: u32,
    /// What is read at once.
    pub read: u32,
}

/// A part of flash that is erased together: a sector, a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Its first byte.
    pub at: u32,
    /// Bytes.
    pub len: u32,
}

/// Units of one length, side by side. The flash of a chip is one or several such rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Units {
    /// The first byte of the first one.
    pub at: u32,
    /// How many.
    pub count: u32,
    /// Bytes of each.
    pub len: u32,
}

impl Units {
    /// Behind the last byte of the last one.
    pub fn end(&self) -> u64 {
        u64::from(self.at) + u64::from(self.count) * u64::from(self.len)
    }

    /// The unit that holds this address, and its number among these, from 0 on.
    pub fn holding(&self, at: u32) -> Option<(u32, Unit)> {
        let number = at.checked_sub(self.at)?.checked_div(self.len)?;
        let first = self.at.checked_add(number.checked_mul(self.len)?)?;
        let unit = Unit {
            at: first,
            len: self.len,
        };
        (number < self.count).then_some((number, unit))
    }

    /// All of them. Those beyond the address space are left out.
    pub fn all(self) -> impl Iterator<Item = Unit> {
        (0..self.count).map_while(move |number| {
            let at = self.at.checked_add(number.checked_mul(self.len)?)?;
            Some(Unit { at, len: self.len })
        })
    }
}

/// The eight bytes that begin a control transfer, without its length (USB 2.0, 9.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// Direction, type and recipient: `bmRequestType`.
    pub kind: u8,
    /// `bRequest`.
    pub request: u8,
    /// `wValue`.
    pub value: u16,
    /// `wIndex`.
    pub index: u16,
}

/// One thing to do at the device. Where a loader is behind a serial port, only [`Action::Out`] and [`Action::In`] are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A control transfer that asks for up to so many bytes.
    ControlIn(Setup, u16),
    /// A control transfer that brings these bytes, or none.
    ControlOut(Setup, Vec<u8>),
    /// Sends bytes: to the interface's bulk endpoint, an empty packet where there are none; or to the serial port.
    Out(Vec<u8>),
    /// Reads up to so many bytes. Of the interface's bulk endpoint: one transfer; 0: an empty packet. Of a serial port: what has
    /// arrived, from one byte on; where nothing arrives within the action's limit, it is [`Broken::Silent`].
    In(u32),
    /// Sets both bulk endpoints of the interface going again, on the host's side as well.
    ClearHalts,
    /// Chooses the alternate setting of the interface that has this number (USB 2.0, 9.4.10).
    Setting(u8),
}

/// Why nothing came of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The device has left.
    Gone,
    /// The device refused it (STALL).
    Stalled,
    /// It was not done within its limit, and was taken back.
    Silent,
    /// Anything else, in the system's words.
    System(String),
}

/// How a serial port is set for a loader: 8 bits of data and one stop bit, with this speed and parity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Bits per second.
    pub baud: u32,
    /// What goes with the bits.
    pub parity: Parity,
}

/// A bit that goes with each byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parity {
    /// There is none.
    None,
    /// The bit makes the number of ones even.
    Even,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// This action, which may take so long. Its result goes to [`Loader::handle`].
    Do(Action, Duration),
    /// Nothing for so long: [`Loader::poll`] is called again when that time is over.
    Wait(Duration),
    /// The request has ended: what was read, or nothing.
    Ended(Result<Vec<u8>, Fault>),
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The device has left.
    Gone,
    /// The device did not answer in time.
    Silent,
    /// The loader refused it.
    Refused(Refusal),
    /// The loader answered what it never would.
    Nonsense,
    /// The loader offers no flash inside its chip.
    NoFlash,
    /// The loader is that of another chip, which gives itself this number.
    OtherChip(u16),
    /// The system, in its words.
    System(String),
}

impl From<Broken> for Fault {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Gone => Fault::Gone,
            Broken::Stalled => Fault::Refused(Refusal::Other(0)),
            Broken::Silent => Fault::Silent,
            Broken::System(why) => Fault::System(why),
        }
    }
}

/// Why a loader refuses a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It has no flash at that address.
    Address,
    /// Flash there is protected.
    Protected,
    /// It does not know the request.
    Unknown,
    /// It is restarting.
    Restarting,
    /// Its own number for any other reason; 0 where it gave none.
    Other(u32),
}

/// A loader's protocol.
pub trait Loader {
    /// What it takes at once. Some loaders say so themselves: asked after [`Request::Begin`] has ended.
    fn shape(&self) -> Shape;

    /// The unit that holds this address; `None` where there is no flash that can be read, erased and written. Asked after
    /// [`Request::Begin`] has ended.
    fn unit(&self, at: u32) -> Option<Unit>;

    /// Begins a request. One that has not ended is forgotten.
    fn begin(&mut self, request: Request);

    /// What comes next. After [`Step::Ended`] the next request is due.
    fn poll(&mut self) -> Step;

    /// What came of the action: what was read, or nothing.
    fn handle(&mut self, done: Result<Vec<u8>, Broken>);
}

/// One of several, chosen while the program runs.
impl Loader for Box<dyn Loader> {
    fn shape(&self) -> Shape {
        (**self).shape()
    }

    fn unit(&self, at: u32) -> Option<Unit> {
        (**self).unit(at)
    }

    fn begin(&mut self, request: Request) {
        (**self).begin(request);
    }

    fn poll(&mut self) -> Step {
        (**self).poll()
    }

    fn handle(&mut self, done: Result<Vec<u8>, Broken>) {
        (**self).handle(done);
    }
}
