//! What the files of [`usbfs`](super::usbfs) answer to ioctls, and what they remember.

use std::collections::{BTreeMap, HashMap, VecDeque};

use rustix::io::Errno;

use super::fuse::{Call, long, word};
use super::memory::Memory;
use super::transfers::{End, Transfer, Wire};

/// The type of all of usbfs's ioctls, and their numbers.
const TYPE: u8 = b'U';
const SETINTERFACE: u8 = 4;
const SETCONFIGURATION: u8 = 5;
const GETDRIVER: u8 = 8;
const SUBMITURB: u8 = 10;
const DISCARDURB: u8 = 11;
const REAPURBNDELAY: u8 = 13;
const CLAIMINTERFACE: u8 = 15;
const RELEASEINTERFACE: u8 = 16;
const IOCTL: u8 = 18;
const CLEAR_HALT: u8 = 21;
const GET_CAPABILITIES: u8 = 26;
const DISCONNECT_CLAIM: u8 = 27;
const GET_SPEED: u8 = 31;

/// NO_PACKET_SIZE_LIM and REAP_AFTER_DISCONNECT.
const CAPABILITIES: u32 = 0x04 | 0x10;
const FULL_SPEED: u32 = 2;
/// Kinds of transfers.
const CONTROL: u8 = 2;
const BULK: u8 = 3;
const INTERRUPT: u8 = 1;
/// Flags of transfers: SHORT_NOT_OK, and all that are taken (with BULK_CONTINUATION and NO_INTERRUPT).
const SHORT_NOT_OK: u32 = 0x01;
const FLAGS: u32 = SHORT_NOT_OK | 0x04 | 0x80;
/// The most that transfers under way may hold (`usbfs_memory_mb`).
const MEMORY: usize = 16 << 20;
/// Where a transfer's status, how much came, and its last byte lie in its structure.
const STATUS: u64 = 4;
const ACTUAL: u64 = 28;
const URB: usize = 56;

/// An interface, as the device's descriptors have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) number: u8,
    /// Class, subclass and protocol.
    pub(super) kind: [u8; 3],
    pub(super) endpoints: Vec<u8>,
}

impl Interface {
    /// The driver of the kernel that has it: CDC-ACM's for both of the serial port's interfaces.
    fn driver(&self) -> Option<&'static str> {
        matches!(self.kind, [0x02 | 0x0A, ..]).then_some("cdc_acm")
    }
}

#[derive(Debug)]
pub(super) struct Device {
    pub(super) descriptors: Vec<u8>,
    pub(super) interfaces: Vec<Interface>,
    pub(super) wire: Box<dyn Wire>,
    /// Which file has which interface.
    pub(super) claims: HashMap<u8, u64>,
}

#[derive(Debug)]
pub(super) struct Open {
    pub(super) device: u8,
    pub(super) is_gone: bool,
    pub(super) completed: VecDeque<(Urb, End, Vec<u8>)>,
    pub(super) poll: Option<u64>,
}

/// A transfer that a program has submitted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Urb {
    pub(super) file: u64,
    /// Its structure and its bytes in the program's memory.
    pub(super) address: u64,
    pub(super) buffer: u64,
    /// Bytes asked for or sent, without a setup packet.
    pub(super) length: usize,
    pub(super) kind: u8,
    pub(super) flags: u32,
    pub(super) is_to_host: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Waiting {
    Urb(Urb),
    /// An ioctl that waits for the device.
    Call(u64, u64),
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) devices: BTreeMap<u8, Device>,
    pub(super) files: HashMap<u64, Open>,
    pub(super) waiting: HashMap<u64, Waiting>,
    /// The last number given to a file or a transfer.
    pub(super) last: u64,
    /// Nobody may open a device: there is no rule of udev for it.
    pub(super) is_forbidden: bool,
}

/// How the kernel calls the end of a transfer.
pub(super) fn status(end: End) -> Option<Errno> {
    match end {
        End::Done => None,
        End::Stall => Some(Errno::PIPE),
        End::Silence => Some(Errno::PROTO),
        End::Gone => Some(Errno::SHUTDOWN),
        End::Overflow => Some(Errno::OVERFLOW),
        End::Cancelled => Some(Errno::NOENT),
    }
}

impl State {
    pub(super) fn device(&mut self, file: u64) -> Result<&mut Device, Errno> {
        let open = self.files.get(&file).ok_or(Errno::BADF)?;
        self.devices.get_mut(&open.device).ok_or(Errno::NODEV)
    }

    fn begin(&mut self, file: u64, transfer: &Transfer, waiting: Waiting) -> Result<(), Errno> {
        self.last += 1;
        let id = self.last;
        self.waiting.insert(id, waiting);
        self.device(file)?.wire.begin(id, transfer);
        Ok(())
    }

    /// Has the device do something that the caller waits for.
    fn ask(&mut self, call: Call, transfer: &Transfer) -> Result<Option<u32>, Errno> {
        self.begin(call.file, transfer, Waiting::Call(call.file, call.unique))?;
        Ok(None)
    }

    fn claim(&mut self, file: u64, number: u8) -> Result<(), Errno> {
        let device = self.device(file)?;
        let interface = device.interfaces.iter().find(|it| it.number == number);
        let is_driven = interface.ok_or(Errno::NOENT)?.driver().is_some();
        let owner = *device.claims.entry(number).or_insert(file);
        match owner == file && !is_driven {
            true => Ok(()),
            false => {
                if owner == file {
                    device.claims.remove(&number);
                }
                Err(Errno::BUSY)
            }
        }
    }

    /// The interface that has this endpoint, claimed.
    fn with_endpoint(&mut self, file: u64, endpoint: u8) -> Result<u8, Errno> {
        let interfaces = &self.device(file)?.interfaces;
        let found = interfaces.iter().find(|it| it.endpoints.contains(&endpoint));
        let number = found.ok_or(Errno::NOENT)?.number;
        self.claim(file, number)?;
        Ok(number)
    }

    /// Whether a control transfer may go to its recipient.
    fn may_control(&mut self, file: u64, [kind, _, _, _, index, ..]: [u8; 8]) -> Result<(), Errno> {
        const VENDOR: u8 = 0x40;
        match (kind & 0x60, kind & 0x1F) {
            (VENDOR, _) => Ok(()),
            (_, 1) => self.claim(file, index),
            (_, 2) if index & 0x7F != 0 => self.with_endpoint(file, index).map(drop),
            _ => Ok(()),
        }
    }

    fn submit(&mut self, call: Call, memory: &Memory) -> Result<(), Errno> {
        let urb: [u8; URB] = memory.array(call.argument)?;
        let [kind, endpoint, ..] = urb;
        let (flags, buffer) = (word(&urb, 8), long(&urb, 16));
        let whole = usize::try_from(word(&urb, 24) as i32).map_err(|_| Errno::INVAL)?;
        if flags & !FLAGS != 0 {
            return Err(Errno::INVAL);
        }
        let under_way: usize = self
            .waiting
            .values()
            .map(|it| if let Waiting::Urb(urb) = it { urb.length } else { 0 })
            .sum();
        if under_way + whole > MEMORY {
            return Err(Errno::NOMEM);
        }
        let (transfer, length, is_to_host) = match kind {
            CONTROL => {
                if endpoint & 0x7F != 0 || whole < 8 {
                    return Err(Errno::INVAL);
                }
                let setup: [u8; 8] = memory.array(buffer)?;
                let length = usize::from(u16::from_le_bytes([setup[6], setup[7]]));
                if whole < length + 8 {
                    return Err(Errno::INVAL);
                }
                self.may_control(call.file, setup)?;
                let is_to_host = setup[0] & 0x80 != 0;
                let sent = if is_to_host { 0 } else { length };
                (
                    Transfer::Control(setup, memory.read(buffer + 8, sent)?),
                    length,
                    is_to_host,
                )
            }
            BULK | INTERRUPT => {
                self.with_endpoint(call.file, endpoint)?;
                let is_to_host = endpoint & 0x80 != 0;
                let transfer = match is_to_host {
                    true => Transfer::In(endpoint, whole),
                    false => Transfer::Out(endpoint, memory.read(buffer, whole)?),
                };
                (transfer, whole, is_to_host)
            }
            _ => return Err(Errno::INVAL),
        };
        let urb = Urb {
            file: call.file,
            address: call.argument,
            buffer,
            length,
            kind,
            flags,
            is_to_host,
        };
        self.begin(call.file, &transfer, Waiting::Urb(urb))
    }

    fn discard(&mut self, call: Call) -> Result<(), Errno> {
        let is_meant = |it: &Waiting| matches!(it, Waiting::Urb(urb) if urb.file == call.file && urb.address == call.argument);
        let id = self
            .waiting
            .iter()
            .find(|(_, it)| is_meant(it))
            .map(|(id, _)| *id);
        let id = id.ok_or(Errno::INVAL)?;
        self.device(call.file)?.wire.cancel(id);
        Ok(())
    }

    fn reap(&mut self, call: Call, memory: &Memory) -> Result<(), Errno> {
        let open = self.files.get_mut(&call.file).ok_or(Errno::BADF)?;
        let none = if open.is_gone { Errno::NODEV } else { Errno::AGAIN };
        let (urb, end, data) = open.completed.pop_front().ok_or(none)?;
        let (mut actual, mut failed) = (data.len(), status(end));
        if urb.is_to_host {
            let setup = if urb.kind == CONTROL { 8 } else { 0 };
            memory.write(urb.buffer + setup, data.get(..urb.length).unwrap_or(&data))?;
            if failed.is_none() && urb.flags & SHORT_NOT_OK != 0 && actual < urb.length {
                failed = Some(Errno::REMOTEIO);
            }
        } else if end == End::Done {
            actual = urb.length;
        }
        let code = failed.map_or(0, |error| -error.raw_os_error());
        memory.write(urb.address + STATUS, &code.to_ne_bytes())?;
        memory.write(urb.address + ACTUAL, &(actual as u32).to_ne_bytes())?;
        memory.write(call.argument, &urb.address.to_ne_bytes())
    }

    /// `None`: answered later.
    pub(super) fn ioctl(&mut self, call: Call) -> Result<Option<u32>, Errno> {
        let [number, kind, ..] = call.command.to_le_bytes();
        if kind != TYPE {
            return Err(Errno::NOTTY);
        }
        let memory = Memory::of(call.thread)?;
        if number == REAPURBNDELAY {
            return self.reap(call, &memory).map(|()| Some(0));
        }
        self.device(call.file)?;
        // The first number of what the pointer names, where it is one byte of a descriptor.
        let small = || {
            memory
                .number(call.argument)
                .and_then(|it| u8::try_from(it).map_err(|_| Errno::INVAL))
        };
        match number {
            SUBMITURB => self.submit(call, &memory)?,
            DISCARDURB => self.discard(call)?,
            CLAIMINTERFACE | DISCONNECT_CLAIM => self.claim(call.file, small()?)?,
            RELEASEINTERFACE => {
                let (file, number) = (call.file, small()?);
                let claims = &mut self.device(file)?.claims;
                if claims.get(&number) != Some(&file) {
                    return Err(Errno::INVAL);
                }
                claims.remove(&number);
                self.take_back(file, Some(number));
            }
            CLEAR_HALT => {
                let endpoint = small()?;
                self.with_endpoint(call.file, endpoint)?;
                return self.ask(call, &Transfer::ClearHalt(endpoint));
            }
            SETINTERFACE => {
                let (interface, alternate) = (small()?, memory.number(call.argument + 4)? as u8);
                self.claim(call.file, interface)?;
                let interfaces = &self.device(call.file)?.interfaces;
                let found = interfaces.iter().find(|it| it.number == interface);
                let endpoints = found.map(|it| it.endpoints.clone()).unwrap_or_default();
                let transfer = Transfer::Setting {
                    interface,
                    alternate,
                    endpoints,
                };
                return self.ask(call, &transfer);
            }
            SETCONFIGURATION => {
                let device = self.device(call.file)?;
                let is_driven = device.interfaces.iter().any(|it| it.driver().is_some());
                return Err(if is_driven || !device.claims.is_empty() {
                    Errno::BUSY
                } else {
                    Errno::NOTTY
                });
            }
            GETDRIVER => {
                let number = small()?;
                let device = self.device(call.file)?;
                let found = device.interfaces.iter().find(|it| it.number == number);
                let driver = found
                    .ok_or(Errno::INVAL)?
                    .driver()
                    .or(device.claims.get(&number).map(|_| "usbfs"));
                let name = format!("{}\0", driver.ok_or(Errno::NODATA)?);
                memory.write(call.argument + 4, name.as_bytes())?;
            }
            GET_CAPABILITIES => memory.write(call.argument, &CAPABILITIES.to_ne_bytes())?,
            GET_SPEED => return Ok(Some(FULL_SPEED)),
            // Taking a driver of the kernel off its interface.
            IOCTL => return Err(Errno::ACCESS),
            _ => return Err(Errno::NOTTY),
        }
        Ok(Some(0))
    }

    /// Takes a file's transfers back: those of one interface, or all.
    pub(super) fn take_back(&mut self, file: u64, interface: Option<u8>) {
        let is_its = |it: &Waiting| matches!(it, Waiting::Urb(urb) if urb.file == file && (interface.is_none() || urb.kind != CONTROL));
        let ids: Vec<u64> = self
            .waiting
            .iter()
            .filter(|(_, it)| is_its(it))
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            if let Ok(device) = self.device(file) {
                device.wire.cancel(id);
            }
        }
    }
}
