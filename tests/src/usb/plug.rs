//! Plugs emulated boards in.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bootlace_browser::wait_for;

use super::fuse::{self, Kernel};
use super::model::DfuChip;
use super::sysfs::{Described, Folder, overlay, own_terminals, properties};
use super::transfers::{End, Heard, Plugged, Socket, Transfer, Wire};
use super::usbfs::Usbfs;
use crate::namespace::Namespace;
use crate::rp2040::{Follower, Pico};
use crate::serial::udev;

/// How long something may go unnoticed.
const INTERVAL: Duration = Duration::from_millis(5);
/// Longest time until a board is there.
const PATIENCE: Duration = Duration::from_secs(60);

/// The bus that devices are plugged into.
#[derive(Clone, Debug)]
pub struct Bus {
    files: Arc<Usbfs>,
}

impl Bus {
    /// Makes this namespace's USB ours.
    ///
    /// # Errors
    /// What the machine does not allow or have, named.
    pub fn new(namespace: &Namespace) -> Result<Self> {
        for folder in ["/sys/bus", "/sys/devices", "/dev"] {
            overlay(folder, namespace.scratch())?;
        }
        own_terminals()?;
        for folder in ["/sys/bus/usb/devices", "/sys/bus/usb/drivers", "/dev/bus/usb"] {
            std::fs::create_dir_all(folder).with_context(|| folder.to_owned())?;
        }
        let kernel = Kernel::open()?;
        let files = Arc::new(Usbfs::new(Arc::clone(&kernel)));
        fuse::serve(kernel, Arc::clone(&files), Path::new("/dev/bus/usb"))?;
        Ok(Bus { files })
    }

    /// Keeps everybody from opening devices, as a system without a rule for them does, or no longer.
    pub fn forbid(&self, is_forbidden: bool) {
        self.files.forbid(is_forbidden);
    }
}

/// The cable between a board and the bus: a device is there whenever the board shows itself. Dropped, it is pulled.
#[derive(Debug)]
pub struct Cord {
    name: Arc<Mutex<Option<String>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Cord {
    /// Plugs a board in.
    pub fn new(bus: &Bus, pico: &Pico) -> Self {
        Self::of(
            bus,
            Box::new(Emulated {
                socket: pico.folder().join("usb"),
                follower: pico.follower(),
            }),
        )
    }

    /// Plugs a model of a chip's loader in.
    pub fn of_chip(bus: &Bus, chip: &DfuChip) -> Self {
        Self::of(bus, Box::new(chip.clone()))
    }

    fn of(bus: &Bus, device: Box<dyn Plugged>) -> Self {
        static PORT: AtomicU32 = AtomicU32::new(0);
        let (name, stop) = (Arc::<Mutex<_>>::default(), Arc::<AtomicBool>::default());
        let driver = Driver {
            files: Arc::clone(&bus.files),
            device,
            port: PORT.fetch_add(1, Ordering::Relaxed) + 1,
            name: Arc::clone(&name),
            stop: Arc::clone(&stop),
        };
        Self {
            name,
            stop,
            thread: Some(std::thread::spawn(move || driver.run())),
        }
    }

    /// Waits until the device is there, and gives its name for `--port`.
    ///
    /// # Errors
    /// When it does not come.
    pub fn ready(&self) -> Result<String> {
        wait_for("the USB device", PATIENCE, || {
            Ok(self.name.lock().unwrap_or_else(PoisonError::into_inner).clone())
        })
    }
}

impl Cord {
    /// Pulls the cable of a chip, and plugs the chip in anew once the system has seen that it was gone.
    ///
    /// # Errors
    /// When it does not come.
    pub fn plug_again(&self, chip: &DfuChip) -> Result<()> {
        chip.unplug();
        wait_for("the USB device to be gone", PATIENCE, || {
            let name = self.name.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(name.is_none().then_some(()))
        })?;
        chip.plug();
        self.ready().map(drop)
    }
}

impl Drop for Cord {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// An emulated board.
struct Emulated {
    socket: PathBuf,
    follower: Follower,
}

impl Plugged for Emulated {
    fn next(&self, served: u32, limit: Duration) -> Option<u32> {
        self.follower.next(served, limit)
    }

    fn is_over(&self, arrival: u32, limit: Duration) -> bool {
        self.follower.is_over(arrival, limit)
    }

    fn wire(&self, heard: Heard) -> Result<Box<dyn Wire>> {
        Ok(Box::new(Socket::new(&self.socket, heard)?))
    }
}

struct Driver {
    files: Arc<Usbfs>,
    device: Box<dyn Plugged>,
    port: u32,
    name: Arc<Mutex<Option<String>>>,
    stop: Arc<AtomicBool>,
}

impl Driver {
    fn run(self) {
        let mut served = 0;
        while !self.stop.load(Ordering::Relaxed) {
            if let Some(arrival) = self.device.next(served, INTERVAL) {
                served = arrival;
                // A board that is gone again is seen at its next arrival.
                if let Err(error) = self.serve(arrival) {
                    eprintln!("a board was gone before it was described: {error:#}");
                }
            }
        }
    }

    /// From one arrival of the board until it leaves.
    fn serve(&self, arrival: u32) -> Result<()> {
        /// Each arrival has another number, as on a real bus.
        static NUMBER: AtomicU8 = AtomicU8::new(1);
        let described = describe(&*self.device)?;
        let number = NUMBER.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |it| Some(it % 127 + 1));
        let number = number.unwrap_or_default() % 127 + 1;
        let files = Arc::clone(&self.files);
        let heard: Heard = Box::new(move |id, end, data| files.ended(id, end, data));
        let wire = self.device.wire(heard)?;
        let (descriptors, interfaces) = (described.descriptors.clone(), described.interfaces.clone());
        self.files.plug(number, descriptors, interfaces, wire);
        let folder = Folder::new(&described, self.port, number)?;
        let properties = properties(&described, &folder.path, number);
        let name = |name| *self.name.lock().unwrap_or_else(PoisonError::into_inner) = name;
        let (vendor, product) = described.numbers();
        udev::tell("add", &properties)?;
        name(Some(format!(
            "usb:{vendor:04x}:{product:04x}:{}",
            described.serial
        )));
        while !self.stop.load(Ordering::Relaxed) && !self.device.is_over(arrival, INTERVAL) {}
        name(None);
        drop(folder);
        self.files.unplug(number);
        udev::tell("remove", &properties)
    }
}

/// Asks a device who it is, as a system does that has found one.
fn describe(device: &dyn Plugged) -> Result<Described> {
    let (sender, ends) = channel();
    let mut wire = device.wire(Box::new(move |_, end, data| drop(sender.send((end, data)))))?;
    let mut get = |kind: u8, index: u8, language: u16, length: u16| -> Result<Vec<u8>> {
        let ([low, high], [few, many]) = (language.to_le_bytes(), length.to_le_bytes());
        wire.begin(
            0,
            &Transfer::Control([0x80, 6, index, kind, low, high, few, many], Vec::new()),
        );
        let (end, data) = ends.recv_timeout(PATIENCE)?;
        ensure!(end == End::Done, "descriptor {kind}: {end:?}");
        Ok(data)
    };
    let device = get(1, 0, 0, 18)?;
    let head = get(2, 0, 0, 9)?;
    let configuration = get(2, 0, 0, u16::from_le_bytes([byte(&head, 2), byte(&head, 3)]))?;
    let mut text = |index| -> Result<String> {
        let text = get(3, index, 0x409, 255)?;
        let (units, _) = text.get(2..).unwrap_or_default().as_chunks::<2>();
        Ok(String::from_utf16_lossy(
            &units
                .iter()
                .map(|unit| u16::from_le_bytes(*unit))
                .collect::<Vec<_>>(),
        ))
    };
    let (product, serial) = (text(byte(&device, 15))?, text(byte(&device, 16))?);
    Ok(Described {
        interfaces: Described::interfaces(&configuration),
        descriptors: [device, configuration].concat(),
        product,
        serial,
    })
}

fn byte(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at).copied().unwrap_or_default()
}
