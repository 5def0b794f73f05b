//! PICOBOOT: the protocol of the vendor interface that the RP2040's ROM shows while BOOTSEL is held, or where its flash is blank.
//! RP2040 datasheet, 2.8.5.
//!
//! A command is 32 bytes to the OUT endpoint, then its data in either direction, then an empty packet in the other one. What
//! the ROM does not take it stalls; a control request then says why, and another one makes the interface ready again.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod command;
#[cfg(test)]
mod tests;

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use bootlace_loader::{Action, Broken, Fault, Loader, Refusal, Request, Setup, Shape, Step, Unit, Units};

pub use command::{Command, LEN as COMMAND_LEN, STATUS_LEN, Status};

/// Vendor and product number of the ROM's device.
pub const DEVICE: (u16, u16) = (0x2E8A, 0x0003);
/// Class, subclass and protocol of the interface.
pub const INTERFACE: (u8, u8, u8) = (0xFF, 0, 0);
/// Where flash begins for the chip, and the ROM.
pub const FLASH: u32 = 0x1000_0000;

/// A sector, which is what the ROM erases; its flash chips take up to 0.4 s for one.
const SECTOR: u32 = 4096;
/// All that the chip can see of its flash chip (2.6.3): how much of it there is the ROM does not say.
const WINDOW: Units = Units {
    at: FLASH,
    count: (16 << 20) / SECTOR,
    len: SECTOR,
};
/// How long the ROM may take for an action that does nothing to flash.
const SHORT: Duration = Duration::from_secs(2);
/// The same for one that erases or programs a sector: 0.4 s by the data sheet of the slowest usual chip, and twice that.
const FLASHING: Duration = Duration::from_secs(3);
/// Milliseconds that the ROM waits before it restarts, so that its answer arrives.
const RESTART_MILLIS: u32 = 500;

/// The protocol's state.
#[derive(Debug)]
pub struct Picoboot {
    /// Number of the interface, to which control requests go.
    interface: u8,
    /// Number of the last command: the ROM repeats it in its status.
    token: u32,
    /// What is still to be done of the request.
    todo: VecDeque<(Action, Duration)>,
    /// What was read.
    read: Vec<u8>,
    /// Bytes that were asked for.
    wanted: usize,
    /// Whether the ROM's reason is being asked for, or has been: a request that fails then fails for good.
    asks: Option<Fault>,
    ended: Option<Fault>,
}

impl Picoboot {
    /// For a device whose interface has this number.
    pub fn new(interface: u8) -> Self {
        Picoboot {
            interface,
            token: 0,
            todo: VecDeque::new(),
            read: Vec::new(),
            wanted: 0,
            asks: None,
            ended: None,
        }
    }

    fn control(&self, kind: u8, request: u8) -> Setup {
        Setup {
            kind,
            request,
            value: 0,
            index: u16::from(self.interface),
        }
    }

    fn status_request(&self) -> Action {
        Action::ControlIn(self.control(0xC1, 0x42), STATUS_LEN as u16)
    }

    /// INTERFACE_RESET ends what was under way, on the ROM's side.
    fn reset(&self) -> Action {
        Action::ControlOut(self.control(0x41, 0x41), Vec::new())
    }

    fn command(&mut self, command: Command, data: Option<Vec<u8>>, limit: Duration) {
        self.token = self.token.wrapping_add(1);
        let bytes = command.encode(self.token).to_vec();
        self.todo.push_back((Action::Out(bytes), SHORT));
        let ends = if let Command::Read { len, .. } = command {
            self.wanted = len as usize;
            self.todo.push_back((Action::In(len), limit));
            Action::Out(Vec::new())
        } else {
            if let Some(data) = data {
                self.todo.push_back((Action::Out(data), limit));
            }
            Action::In(0)
        };
        self.todo.push_back((ends, limit));
    }
}

impl Loader for Picoboot {
    fn shape(&self) -> Shape {
        Shape {
            write: SECTOR,
            read: SECTOR,
        }
    }

    fn unit(&self, at: u32) -> Option<Unit> {
        WINDOW.holding(at).map(|(_, unit)| unit)
    }

    fn begin(&mut self, request: Request) {
        self.todo.clear();
        self.read.clear();
        self.wanted = 0;
        (self.asks, self.ended) = (None, None);
        match request {
            Request::Begin => {
                self.todo.push_back((self.reset(), SHORT));
                self.todo.push_back((Action::ClearHalts, SHORT));
                // The drive, which another program may write to, is kept out.
                self.command(Command::Exclusive, None, SHORT);
                self.command(Command::ExitXip, None, SHORT);
            }
            Request::Erase(Unit { at, len }) => self.command(Command::Erase { at, len }, None, FLASHING),
            Request::Write { at, bytes } => {
                let len = bytes.len() as u32;
                self.command(Command::Write { at, len }, Some(bytes), FLASHING);
            }
            Request::Read { at, len } => self.command(Command::Read { at, len }, None, SHORT),
            Request::Leave => {
                let millis = RESTART_MILLIS;
                self.command(Command::Reboot { millis }, None, SHORT);
            }
        }
    }

    fn poll(&mut self) -> Step {
        if let Some(fault) = self.ended.take() {
            return Step::Ended(Err(fault));
        }
        if self.asks.is_some() {
            return Step::Do(self.status_request(), SHORT);
        }
        match self.todo.front() {
            Some((action, limit)) => Step::Do(action.clone(), *limit),
            None => Step::Ended(Ok(core::mem::take(&mut self.read))),
        }
    }

    fn handle(&mut self, done: Result<Vec<u8>, Broken>) {
        if let Some(fault) = self.asks.take() {
            // A ROM that does not say why has refused all the same.
            let status = done.ok().and_then(|bytes| Status::read(&bytes));
            self.fail(status.map_or(fault, |status| status.fault()));
            return;
        }
        let action = self.todo.pop_front().map(|(action, _)| action);
        match done {
            Ok(bytes) => {
                let expected = match action {
                    Some(Action::In(_)) => core::mem::take(&mut self.wanted),
                    _ => 0,
                };
                if bytes.len() != expected {
                    self.fail(Fault::Nonsense);
                } else if expected > 0 {
                    self.read = bytes;
                }
            }
            Err(Broken::Stalled) => self.asks = Some(Fault::Refused(Refusal::Other(0))),
            // The ROM halts only one of its endpoints: a host may wait for the other one without end.
            Err(Broken::Silent) => self.asks = Some(Fault::Silent),
            Err(broken) => self.fail(broken.into()),
        }
    }
}

impl Picoboot {
    fn fail(&mut self, fault: Fault) {
        self.todo.clear();
        self.ended = Some(fault);
    }
}
