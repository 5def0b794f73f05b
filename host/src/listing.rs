//! Which boards this machine sees, each once, with the ways to it.

use std::path::{Path, PathBuf};

use crate::address::Address;
use crate::serial;
use crate::usb::{self, UsbBoard};

/// A board, or a serial port that may be one's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// What the device says that it is.
    pub product: Option<String>,
    /// Vendor and product number.
    pub numbers: Option<(u16, u16)>,
    /// Serial number.
    pub serial: Option<String>,
    /// The ways to it, the better one first.
    pub ways: Vec<Address>,
}

/// What the system says of the USB device behind a serial port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Behind {
    /// Where the system describes the device.
    place: Option<PathBuf>,
    product: Option<String>,
    numbers: Option<(u16, u16)>,
    serial: Option<String>,
}

/// The boards with a vendor interface, and the serial ports that USB devices have. A board that has both is listed once.
pub fn listed() -> Vec<Listed> {
    let ports = serial::ports().into_iter();
    let ports = ports.filter_map(|port| Some((behind(&port)?, port))).collect();
    pair(usb::boards(), ports)
}

/// Lists each board once: its serial port is the one of the same device, or of the same numbers and serial number.
fn pair(boards: Vec<UsbBoard>, mut ports: Vec<(Behind, PathBuf)>) -> Vec<Listed> {
    let mut all: Vec<Listed> = Vec::new();
    for board in boards {
        let mut ways = vec![Address::Usb(board.clone())];
        ports.retain(|(behind, port)| {
            let is_its = is_same(&board, behind) || is_named_for(port, board.serial());
            if is_its {
                ways.push(Address::Serial(port.clone()));
            }
            !is_its
        });
        all.push(Listed {
            product: board.product().map(str::to_owned),
            numbers: Some(board.numbers()),
            serial: board.serial().map(str::to_owned),
            ways,
        });
    }
    all.extend(ports.into_iter().map(|(behind, port)| Listed {
        product: behind.product,
        numbers: behind.numbers,
        serial: behind.serial,
        ways: vec![Address::Serial(port)],
    }));
    all
}

fn is_same(board: &UsbBoard, behind: &Behind) -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if behind.place.as_deref() == Some(board.place()) {
        return true;
    }
    behind.serial.is_some()
        && behind.serial.as_deref() == board.serial()
        && behind.numbers == Some(board.numbers())
}

/// macOS puts a device's serial number into the name of its port, and the number of the interface behind it.
fn is_named_for(port: &Path, serial: Option<&str>) -> bool {
    let name = port
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let rest = name
        .strip_prefix("cu.usbmodem")
        .or(name.strip_prefix("tty.usbmodem"));
    let number = rest.zip(serial.filter(|serial| !serial.is_empty()));
    let behind = number.and_then(|(rest, serial)| rest.strip_prefix(serial));
    behind.is_some_and(|rest| rest.chars().all(|it| it.is_ascii_digit()))
}

/// The USB device behind a serial port; `None`: the port is not USB's. Where the system does not say, nothing is known.
fn behind(port: &Path) -> Option<Behind> {
    let name = port.file_name()?;
    if cfg!(any(target_os = "linux", target_os = "android")) {
        return described(&Path::new("/sys/class/tty").join(name).join("device"));
    }
    let is_usb = cfg!(windows) || name.to_str().is_some_and(|name| name.contains("usb"));
    is_usb.then(Behind::default)
}

/// What Linux says of the device that has this function: the folder above it that has vendor and product number.
fn described(function: &Path) -> Option<Behind> {
    let function = function.canonicalize().ok()?;
    let text = |folder: &Path, name: &str| {
        let text = std::fs::read_to_string(folder.join(name)).ok()?;
        Some(text.trim().to_owned())
    };
    let number = |folder: &Path, name| u16::from_str_radix(&text(folder, name)?, 16).ok();
    function.ancestors().find_map(|folder| {
        let numbers = number(folder, "idVendor").zip(number(folder, "idProduct"))?;
        Some(Behind {
            place: Some(folder.to_owned()),
            product: text(folder, "product"),
            numbers: Some(numbers),
            serial: text(folder, "serial"),
        })
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_device_behind_a_serial_port_is_the_folder_above_it_that_has_numbers() {
        let root = std::env::temp_dir().join(format!("bootlace-sysfs-{}", std::process::id()));
        let (device, function) = (root.join("usb1/1-2"), root.join("usb1/1-2/1-2:1.0"));
        std::fs::create_dir_all(&function).unwrap();
        for (name, text) in [
            ("idVendor", "1209\n"),
            ("idProduct", "c01d\n"),
            ("serial", "AB12\n"),
        ] {
            std::fs::write(device.join(name), text).unwrap();
        }
        let wanted = Behind {
            place: Some(device.canonicalize().unwrap()),
            product: None,
            numbers: Some((0x1209, 0xC01D)),
            serial: Some("AB12".into()),
        };
        assert_eq!(described(&function), Some(wanted));
        // A port that no USB device has.
        std::fs::create_dir_all(root.join("platform/uart")).unwrap();
        assert_eq!(described(&root.join("platform/uart")), None);
        std::fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn a_port_of_macos_is_named_for_its_device() {
        let named = |port: &str, serial| is_named_for(Path::new(port), serial);
        assert!(named("/dev/cu.usbmodemE66141041", Some("E6614104")));
        assert!(!named("/dev/cu.usbmodemE6614104A1", Some("E6614104")));
        assert!(!named("/dev/cu.usbmodem1101", None));
        assert!(!named("/dev/cu.usbmodem1101", Some("")));
    }
}
