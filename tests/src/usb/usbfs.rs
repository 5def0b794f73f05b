//! The files of `/dev/bus/usb`, by `include/uapi/linux/usbdevice_fs.h` and `drivers/usb/core/devio.c`.
//!
//! What a program may count on here it may count on there; where this is simpler it refuses. From devio.c:
//! - `usbdev_open`: an unplugged device is ENODEV; a file without permission is EACCES;
//! - `claimintf`: an interface that another file or a driver of the kernel has is EBUSY, here the serial port's two, which
//!   `cdc_acm` has wherever it is loaded; one that does not exist is ENOENT;
//! - `checkintf`, `findintfep`: a transfer to an endpoint that no interface has is ENOENT, and one to an interface that is not
//!   claimed claims it first; `check_ctrlrecip` asks the same of control transfers to interfaces and endpoints;
//! - `proc_do_submiturb`: unknown flags, a control transfer without room for its setup packet and data, are EINVAL, and more
//!   than 16 MB under way is ENOMEM. USBDEVFS_URB_ZERO_PACKET is refused and not among the capabilities;
//! - `processcompl`: what came is written when the transfer is reaped, not when it ends;
//! - `proc_unlinkurb`: EINVAL for a transfer that has ended; a discarded one is reaped with ENOENT and what came before;
//! - `proc_setconfig`: EBUSY while any interface has a driver; `proc_setintf`, `proc_clearhalt` ask the device;
//! - `usbdev_poll`: OUT when something can be reaped, HUP and ERR when the device is gone; then transfers can still be reaped,
//!   and after the last one everything is ENODEV;
//! - `usbdev_release`: its transfers are taken back and its interfaces released.
//!
//! Not there: isochronous transfers, streams, ports of hubs, mapped buffers, USBDEVFS_RESET, the synchronous
//! USBDEVFS_CONTROL and USBDEVFS_BULK, and USBDEVFS_REAPURB, which waits: all are ENOTTY.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

use super::fuse::{Call, Files, Kernel, Node, ROOT, long, word};
use super::memory::Memory;
use super::transfers::{End, Transfer, Wire};

/// The one bus, and the first node of its devices.
pub(super) const BUS: u8 = 1;
const BUS_NODE: u64 = 0x1000;
const DEVICE_NODE: u64 = 0x10000;

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
struct Device {
    descriptors: Vec<u8>,
    interfaces: Vec<Interface>,
    wire: Wire,
    /// Which file has which interface.
    claims: HashMap<u8, u64>,
}

#[derive(Debug)]
struct Open {
    device: u8,
    is_gone: bool,
    completed: VecDeque<(Urb, End, Vec<u8>)>,
    poll: Option<u64>,
}

/// A transfer that a program has submitted.
#[derive(Clone, Copy, Debug)]
struct Urb {
    file: u64,
    /// Its structure and its bytes in the program's memory.
    address: u64,
    buffer: u64,
    /// Bytes asked for or sent, without a setup packet.
    length: usize,
    kind: u8,
    flags: u32,
    is_to_host: bool,
}

#[derive(Clone, Copy, Debug)]
enum Waiting {
    Urb(Urb),
    /// An ioctl that waits for the device.
    Call(u64, u64),
}

#[derive(Debug, Default)]
struct State {
    devices: BTreeMap<u8, Device>,
    files: HashMap<u64, Open>,
    waiting: HashMap<u64, Waiting>,
    /// The last number given to a file or a transfer.
    last: u64,
    /// Nobody may open a device: there is no rule of udev for it.
    is_forbidden: bool,
}

/// The files.
#[derive(Debug)]
pub(super) struct Usbfs {
    kernel: Arc<Kernel>,
    state: Mutex<State>,
}

impl Usbfs {
    pub(super) fn new(kernel: Arc<Kernel>) -> Self {
        Usbfs {
            kernel,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn forbid(&self, is_forbidden: bool) {
        self.state().is_forbidden = is_forbidden;
    }

    /// A device is there by this number. What it sends goes to [`Usbfs::ended`].
    pub(super) fn plug(&self, number: u8, descriptors: Vec<u8>, interfaces: Vec<Interface>, wire: Wire) {
        let device = Device {
            descriptors,
            interfaces,
            wire,
            claims: HashMap::new(),
        };
        self.state().devices.insert(number, device);
    }

    /// It is gone: its transfers end, and whoever has it open is told.
    pub(super) fn unplug(&self, number: u8) {
        let mut state = self.state();
        state.devices.remove(&number);
        let files: Vec<u64> = state
            .files
            .iter_mut()
            .filter(|(_, open)| open.device == number)
            .map(|(file, open)| {
                open.is_gone = true;
                *file
            })
            .collect();
        let lost = |waiting: &Waiting| match waiting {
            Waiting::Urb(urb) => files.contains(&urb.file),
            Waiting::Call(file, _) => files.contains(file),
        };
        let ids: Vec<u64> = state
            .waiting
            .iter()
            .filter(|(_, it)| lost(it))
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            self.end(&mut state, id, End::Gone, Vec::new());
        }
        for file in files {
            self.wake(&mut state, file);
        }
    }

    /// A transfer has ended.
    pub(super) fn ended(&self, id: u64, end: End, data: Vec<u8>) {
        self.end(&mut self.state(), id, end, data);
    }

    fn end(&self, state: &mut State, id: u64, end: End, data: Vec<u8>) {
        match state.waiting.remove(&id) {
            Some(Waiting::Urb(urb)) => {
                if let Some(open) = state.files.get_mut(&urb.file) {
                    open.completed.push_back((urb, end, data));
                    self.wake(state, urb.file);
                }
            }
            Some(Waiting::Call(_, unique)) => {
                self.kernel.answer(unique, status(end).map_or(Ok(0), Err));
            }
            // Of a device or a file that is gone.
            None => {}
        }
    }

    fn wake(&self, state: &mut State, file: u64) {
        let handle = state.files.get_mut(&file).and_then(|open| open.poll.take());
        if let Some(handle) = handle {
            self.kernel.wake(handle);
        }
    }
}

/// How the kernel calls the end of a transfer.
fn status(end: End) -> Option<Errno> {
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
    fn device(&mut self, file: u64) -> Result<&mut Device, Errno> {
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
    fn ioctl(&mut self, call: Call) -> Result<Option<u32>, Errno> {
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
    fn take_back(&mut self, file: u64, interface: Option<u8>) {
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

impl Files for Usbfs {
    fn kind(&self, node: u64) -> Option<Node> {
        match node {
            ROOT => Some(Node::Folder),
            _ if node == BUS_NODE + u64::from(BUS) => Some(Node::Folder),
            _ => {
                let number = u8::try_from(node.checked_sub(DEVICE_NODE)?).ok()?;
                self.state().devices.contains_key(&number).then_some(Node::File)
            }
        }
    }

    fn find(&self, folder: u64, name: &str) -> Option<u64> {
        let number: u8 = name.parse().ok()?;
        match folder {
            ROOT => (number == BUS).then_some(BUS_NODE + u64::from(BUS)),
            _ => self
                .state()
                .devices
                .contains_key(&number)
                .then_some(DEVICE_NODE + u64::from(number)),
        }
    }

    fn list(&self, folder: u64) -> Vec<(String, u64)> {
        if folder == ROOT {
            return vec![(format!("{BUS:03}"), BUS_NODE + u64::from(BUS))];
        }
        let state = self.state();
        let numbers = state.devices.keys();
        numbers
            .map(|number| (format!("{number:03}"), DEVICE_NODE + u64::from(*number)))
            .collect()
    }

    fn open(&self, node: u64) -> Result<u64, Errno> {
        let number = node.checked_sub(DEVICE_NODE).and_then(|it| u8::try_from(it).ok());
        let mut state = self.state();
        let device = number
            .filter(|it| state.devices.contains_key(it))
            .ok_or(Errno::NODEV)?;
        if state.is_forbidden {
            return Err(Errno::ACCESS);
        }
        state.last += 1;
        let file = state.last;
        let open = Open {
            device,
            is_gone: false,
            completed: VecDeque::new(),
            poll: None,
        };
        state.files.insert(file, open);
        Ok(file)
    }

    fn read(&self, file: u64) -> Vec<u8> {
        let mut state = self.state();
        state
            .device(file)
            .map(|device| device.descriptors.clone())
            .unwrap_or_default()
    }

    fn close(&self, file: u64) {
        let mut state = self.state();
        state.take_back(file, None);
        if let Ok(device) = state.device(file) {
            device.claims.retain(|_, owner| *owner != file);
        }
        state.files.remove(&file);
    }

    fn ioctl(&self, call: Call) -> Option<Result<u32, Errno>> {
        self.state().ioctl(call).transpose()
    }

    fn poll(&self, file: u64, handle: Option<u64>) -> u32 {
        const OUT: u32 = 0x104;
        const GONE: u32 = 0x18;
        let mut state = self.state();
        let Some(open) = state.files.get_mut(&file) else {
            return GONE;
        };
        open.poll = handle.or(open.poll);
        let reapable = if open.completed.is_empty() { 0 } else { OUT };
        reapable | if open.is_gone { GONE } else { 0 }
    }
}
