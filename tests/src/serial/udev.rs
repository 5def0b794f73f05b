//! Plays udevd: announces and removes serial ports, to libudev's own listeners.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result};
use rustix::io::Errno;
use rustix::mount::{self, UnmountFlags};
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, netlink};

use crate::namespace::{MAJOR, Namespace};

/// What a page and its user see of a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Kernel name, such as `ttyACM0`: tells ports apart, so give each port that is plugged in its own.
    pub name: String,
    /// USB vendor id.
    pub vendor: u16,
    /// USB product id.
    pub product: u16,
    /// USB serial number. Chromium does not show it to pages; policies and its own port records use it.
    pub serial: String,
    /// Product name, shown in the chooser.
    pub model: String,
}

impl Identity {
    /// An identity with a serial number and a product name made from `name`.
    pub fn new(name: &str, vendor: u16, product: u16) -> Self {
        let model = format!("Virtual port {name}");
        Self {
            name: name.into(),
            vendor,
            product,
            serial: format!("SN-{name}"),
            model,
        }
    }

    /// What a port that says nothing about itself is announced as: pid.codes' numbers for tests.
    pub(crate) fn unknown(name: &str) -> Self {
        Self::new(name, 0x1209, 0x0001)
    }
}

/// A device that has been announced; [`Announced::remove`] takes it away.
#[derive(Debug)]
pub struct Announced {
    properties: Vec<(&'static str, String)>,
    borrowed: Option<Borrowed>,
}

/// Announces a port to browsers that run and have listed ports once ("hot plug").
///
/// # Errors
/// When the netlink group can't be reached.
pub fn add(identity: &Identity, node: &Path) -> Result<Announced> {
    let path = format!("/devices/platform/bootlace/{0}/tty/{0}", identity.name);
    let properties = properties(identity, node, path);
    tell("add", &properties)?;
    Ok(Announced {
        properties,
        borrowed: None,
    })
}

/// Makes a port present for browsers that start later ("cold plug"), and announces it too: it borrows the sysfs entry
/// of an idle virtual console, whose `uevent` file gets our keys.
///
/// # Errors
/// When the machine has no virtual console to borrow.
pub fn add_cold(namespace: &Namespace, identity: &Identity, node: &Path) -> Result<Announced> {
    let borrowed = Borrowed::take(namespace)?;
    let properties = properties(
        identity,
        node,
        format!("/devices/virtual/tty/tty{}", borrowed.console),
    );
    let text: String = properties
        .iter()
        .filter(|(key, _)| !matches!(*key, "DEVPATH" | "SUBSYSTEM"))
        .map(|(key, value)| format!("{key}={value}\n"))
        .collect();
    fs::write(&borrowed.file, text)?;
    mount::mount_bind(&borrowed.file, borrowed.uevent())?;
    tell("add", &properties)?;
    Ok(Announced {
        properties,
        borrowed: Some(borrowed),
    })
}

impl Announced {
    /// Announces that the device has gone.
    ///
    /// # Errors
    /// When the netlink group can't be reached.
    pub fn remove(self) -> Result<()> {
        if let Some(borrowed) = &self.borrowed {
            mount::unmount(borrowed.uevent(), UnmountFlags::DETACH)?;
        }
        tell("remove", &self.properties)
    }
}

/// A virtual console whose place in sysfs a port has for a while.
#[derive(Debug)]
struct Borrowed {
    console: u32,
    file: PathBuf,
}

static LENT: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

impl Borrowed {
    fn take(namespace: &Namespace) -> Result<Self> {
        let mut lent = LENT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let console = (30..64)
            .find(|n| {
                !lent.contains(n) && Path::new(&format!("/sys/devices/virtual/tty/tty{n}/uevent")).exists()
            })
            .context(
                "no idle virtual console in /sys/devices/virtual/tty to borrow for a cold-plugged port",
            )?;
        lent.insert(console);
        Ok(Self {
            console,
            file: namespace.scratch().join(format!("uevent{console}")),
        })
    }

    fn uevent(&self) -> String {
        format!("/sys/devices/virtual/tty/tty{}/uevent", self.console)
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        LENT.lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .remove(&self.console);
    }
}

fn properties(identity: &Identity, node: &Path, path: String) -> Vec<(&'static str, String)> {
    static MINOR: AtomicU32 = AtomicU32::new(0);
    vec![
        ("DEVPATH", path),
        ("SUBSYSTEM", "tty".into()),
        ("DEVNAME", node.display().to_string()),
        ("MAJOR", MAJOR.to_string()),
        ("MINOR", (MINOR.fetch_add(1, Ordering::Relaxed) % 256).to_string()),
        ("USEC_INITIALIZED", "1".into()),
        ("ID_BUS", "usb".into()),
        ("ID_VENDOR_ID", format!("{:04x}", identity.vendor)),
        ("ID_MODEL_ID", format!("{:04x}", identity.product)),
        ("ID_MODEL_ENC", identity.model.replace(' ', "\\x20")),
        ("ID_SERIAL_SHORT", identity.serial.clone()),
        ("TAGS", ":systemd:".into()),
    ]
}

/// The multicast group on which udevd passes devices on (group 1 is the kernel's own).
const UDEV_GROUP: u32 = 2;

/// Tells udev's listeners that a device of these properties was added or removed.
///
/// # Errors
/// When the netlink group can't be reached.
pub(crate) fn tell(action: &str, properties: &[(&'static str, String)]) -> Result<()> {
    static SEQUENCE: AtomicU32 = AtomicU32::new(1);
    let sequence = SEQUENCE.fetch_add(1, Ordering::Relaxed);
    let mut body = format!("ACTION={action}\0SEQNUM={sequence}\0").into_bytes();
    for (key, value) in properties {
        body.extend(format!("{key}={value}\0").bytes());
    }
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        Some(netlink::KOBJECT_UEVENT),
    )?;
    rustix::net::bind(&socket, &netlink::SocketAddrNetlink::new(0, 0))?;
    let group = netlink::SocketAddrNetlink::new(0, UDEV_GROUP);
    match rustix::net::sendto(&socket, &message(&body, properties), SendFlags::empty(), &group) {
        // Nobody listens yet.
        Ok(_) | Err(Errno::CONNREFUSED) => Ok(()),
        Err(error) => Err(error).context("announcing a device on netlink"),
    }
}

/// libudev's `udev_monitor_netlink_header` (40 bytes) and the body: the magic and the hashes of subsystem and device type,
/// by which listeners filter, are big-endian, the sizes native.
fn message(body: &[u8], properties: &[(&'static str, String)]) -> Vec<u8> {
    let hash = |key: &str| {
        let found = properties.iter().find(|(name, _)| *name == key);
        found
            .map_or(0, |(_, value)| murmur2(value.as_bytes()))
            .to_be_bytes()
    };
    const HEADER: u32 = 40;
    let mut out = Vec::with_capacity(HEADER as usize + body.len());
    out.extend(b"libudev\0");
    out.extend(0xfeed_cafe_u32.to_be_bytes());
    out.extend(HEADER.to_ne_bytes());
    out.extend(HEADER.to_ne_bytes()); // where the properties begin
    out.extend((body.len() as u32).to_ne_bytes());
    out.extend(hash("SUBSYSTEM"));
    out.extend(hash("DEVTYPE"));
    out.extend([0; 8]); // tags: not filtered by
    out.extend(body);
    out
}

/// MurmurHash2 with seed 0, which libudev hashes subsystem names with.
fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = data.len() as u32;
    let (words, rest) = data.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !rest.is_empty() {
        for (shift, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * shift);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_is_what_libudev_reads() {
        let out = message(b"ACTION=add\0", &[("SUBSYSTEM", "tty".into())]);
        assert_eq!(&out[..12], b"libudev\0\xfe\xed\xca\xfe");
        assert_eq!(out.len(), 40 + 11);
        assert_eq!(out[20..24], 11u32.to_ne_bytes());
        assert_eq!(out[24..32], [0x8a, 0xfa, 0x90, 0xc8, 0, 0, 0, 0]);
    }
}
