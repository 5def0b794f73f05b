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

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

use super::fuse::{Call, Files, Kernel, Node, ROOT};
use super::ioctls::{Device, Interface, Open, State, Waiting, status};
use super::transfers::{End, Wire};

/// The one bus, and the first node of its devices.
pub(super) const BUS: u8 = 1;
const BUS_NODE: u64 = 0x1000;
const DEVICE_NODE: u64 = 0x10000;

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
    pub(super) fn plug(
        &self,
        number: u8,
        descriptors: Vec<u8>,
        interfaces: Vec<Interface>,
        wire: Box<dyn Wire>,
    ) {
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
