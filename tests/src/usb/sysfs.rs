//! What `/sys` says of a device, and the parts of `/sys` and `/dev` that are ours.

use std::ffi::CString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use rustix::mount::{MountFlags, mount, mount_bind, mount_bind_recursive, unmount};

use super::ioctls::Interface;
use super::usbfs::BUS;

/// Lays an empty, writable folder over this one, with everything that was in it bound in again.
///
/// # Errors
/// When the kernel does not let this user.
pub(super) fn overlay(folder: &str, scratch: &Path) -> Result<()> {
    let real = scratch.join("real");
    fs::create_dir_all(&real)?;
    mount_bind_recursive(folder, &real).with_context(|| format!("binding {folder}"))?;
    mount("tmpfs", folder, "tmpfs", MountFlags::empty(), None)
        .with_context(|| format!("mounting over {folder}"))?;
    for entry in fs::read_dir(&real)? {
        let entry = entry?;
        let place = Path::new(folder).join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_symlink() {
            symlink(fs::read_link(entry.path())?, &place)?;
        } else if kind.is_dir() {
            fs::create_dir(&place)?;
            mount_bind_recursive(entry.path(), &place)?;
        } else {
            fs::write(&place, "")?;
            mount_bind(entry.path(), &place)?;
        }
    }
    unmount(&real, rustix::mount::UnmountFlags::DETACH)?;
    Ok(())
}

/// Gives the overlaid `/dev` pseudo-terminals of its own. The kernel looks for them beside `/dev/ptmx`, and the bound-in one of
/// the machine has nothing beside it: opening that one fails.
///
/// # Errors
/// When the kernel does not let this user.
pub(super) fn own_terminals() -> Result<()> {
    let options = CString::new("newinstance,ptmxmode=0666,mode=0600")?;
    mount(
        "devpts",
        "/dev/pts",
        "devpts",
        MountFlags::empty(),
        Some(options.as_c_str()),
    )
    .context("mounting /dev/pts")?;
    mount_bind("/dev/pts/ptmx", "/dev/ptmx").context("binding /dev/ptmx")
}

/// What a device says of itself.
#[derive(Clone, Debug)]
pub(super) struct Described {
    /// Its device descriptor and its configuration's.
    pub(super) descriptors: Vec<u8>,
    pub(super) product: String,
    pub(super) serial: String,
    pub(super) interfaces: Vec<Interface>,
}

impl Described {
    fn byte(&self, at: usize) -> u8 {
        self.descriptors.get(at).copied().unwrap_or_default()
    }

    fn number(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.byte(at), self.byte(at + 1)])
    }

    /// Vendor and product number.
    pub(super) fn numbers(&self) -> (u16, u16) {
        (self.number(8), self.number(10))
    }

    /// The interfaces of a configuration descriptor, in its first settings.
    pub(super) fn interfaces(mut configuration: &[u8]) -> Vec<Interface> {
        let mut found: Vec<Interface> = Vec::new();
        while let Some((part, rest)) = configuration
            .first()
            .and_then(|len| configuration.split_at_checked(usize::from(*len).max(2)))
        {
            match part {
                [_, 4, number, 0, _, class, subclass, protocol, ..] => found.push(Interface {
                    number: *number,
                    kind: [*class, *subclass, *protocol],
                    endpoints: Vec::new(),
                }),
                [_, 5, endpoint, ..] => {
                    if let Some(interface) = found.last_mut() {
                        interface.endpoints.push(*endpoint);
                    }
                }
                _ => {}
            }
            configuration = rest;
        }
        found
    }
}

/// A device's folder; it goes when dropped.
#[derive(Debug)]
pub(super) struct Folder {
    /// Its path below `/sys`.
    pub(super) path: String,
    link: PathBuf,
}

impl Folder {
    /// # Errors
    /// When it can't be written.
    pub(super) fn new(described: &Described, port: u32, number: u8) -> Result<Self> {
        let name = format!("{BUS}-{port}");
        let path = format!("/devices/bootlace/usb{BUS}/{name}");
        let folder = PathBuf::from(format!("/sys{path}"));
        fs::create_dir_all(&folder)?;
        let write = |name: &str, text: String| fs::write(folder.join(name), text + "\n");
        let (vendor, product) = described.numbers();
        fs::write(folder.join("descriptors"), &described.descriptors)?;
        for (name, text) in [
            ("idVendor", format!("{vendor:04x}")),
            ("idProduct", format!("{product:04x}")),
            ("bcdDevice", format!("{:04x}", described.number(12))),
            (
                "version",
                format!("{:2x}.{:02x}", described.byte(3), described.byte(2)),
            ),
            ("bDeviceClass", format!("{:02x}", described.byte(4))),
            ("bDeviceSubClass", format!("{:02x}", described.byte(5))),
            ("bDeviceProtocol", format!("{:02x}", described.byte(6))),
            ("bMaxPacketSize0", described.byte(7).to_string()),
            ("bNumConfigurations", described.byte(17).to_string()),
            ("bConfigurationValue", described.byte(18 + 5).to_string()),
            ("bNumInterfaces", format!("{:2}", described.byte(18 + 4))),
            ("busnum", BUS.to_string()),
            ("devnum", number.to_string()),
            ("devpath", port.to_string()),
            ("speed", "12".into()),
            ("maxchild", "0".into()),
            ("product", described.product.clone()),
            ("serial", described.serial.clone()),
        ] {
            write(name, text)?;
        }
        for interface in &described.interfaces {
            let inner = folder.join(format!("{name}:1.{}", interface.number));
            fs::create_dir_all(&inner)?;
            let [class, subclass, protocol] = interface.kind;
            for (name, value) in [
                ("bInterfaceNumber", interface.number),
                ("bInterfaceClass", class),
                ("bInterfaceSubClass", subclass),
                ("bInterfaceProtocol", protocol),
            ] {
                fs::write(inner.join(name), format!("{value:02x}\n"))?;
            }
        }
        let properties = properties(described, &path, number);
        let told = properties
            .iter()
            .filter(|(key, _)| !matches!(*key, "DEVPATH" | "SUBSYSTEM"));
        fs::write(
            folder.join("uevent"),
            told.map(|(key, value)| format!("{key}={value}\n"))
                .collect::<String>(),
        )?;
        symlink("/sys/bus/usb", folder.join("subsystem"))?;
        let link = PathBuf::from(format!("/sys/bus/usb/devices/{name}"));
        symlink(&folder, &link)?;
        Ok(Folder { path, link })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_file(&self.link).ok();
        fs::remove_dir_all(format!("/sys{}", self.path)).ok();
    }
}

/// What udev tells of it.
pub(super) fn properties(described: &Described, path: &str, number: u8) -> Vec<(&'static str, String)> {
    let (vendor, product) = described.numbers();
    vec![
        ("DEVPATH", path.to_owned()),
        ("SUBSYSTEM", "usb".into()),
        ("DEVTYPE", "usb_device".into()),
        ("DEVNAME", format!("/dev/bus/usb/{BUS:03}/{number:03}")),
        ("MAJOR", "189".into()),
        ("MINOR", (u32::from(number) - 1).to_string()),
        ("BUSNUM", format!("{BUS:03}")),
        ("DEVNUM", format!("{number:03}")),
        (
            "PRODUCT",
            format!("{vendor:x}/{product:x}/{:x}", described.number(12)),
        ),
        (
            "TYPE",
            format!(
                "{}/{}/{}",
                described.byte(4),
                described.byte(5),
                described.byte(6)
            ),
        ),
        ("USEC_INITIALIZED", "1".into()),
        ("ID_VENDOR_ID", format!("{vendor:04x}")),
        ("ID_MODEL_ID", format!("{product:04x}")),
        ("ID_SERIAL_SHORT", described.serial.clone()),
    ]
}
