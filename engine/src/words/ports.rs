//! What is said about this machine's ports.

use alloc::format;
use alloc::string::String;
use core::fmt::Display;

use super::Sentence;

const PLUG: &str =
    "Plug the board in and check the port's name. A board that restarts has no port for a moment.";

/// A name that begins as a USB device's and is none.
pub fn bad_name(name: &str) -> Sentence {
    Sentence::new(
        "BadPortName",
        format!("{name} names no USB device."),
        "Write usb:VID:PID or usb:VID:PID:SERIAL, the numbers in hex: “bootlace ports” lists what is plugged in.",
    )
}

/// No port was named, and no board is plugged in.
pub fn nothing_plugged_in() -> Sentence {
    Sentence::new(
        "NoPort",
        "No board is plugged in that USB shows.",
        "Plug the board in, or name its port with --port: a port without USB is only used when it is named.",
    )
}

/// Several boards may be meant.
pub fn several(ports: &[String]) -> Sentence {
    Sentence::new(
        "SeveralBoards",
        format!("Several boards are plugged in: {}.", ports.join(", ")),
        "Say with --port which one is meant, or leave only that one plugged in.",
    )
}

/// The rule by which udev lets the person at the machine use this device, in one line.
pub fn udev_rule((vendor, product): (u16, u16)) -> String {
    format!(
        "SUBSYSTEM==\"usb\", ATTR{{idVendor}}==\"{vendor:04x}\", ATTR{{idProduct}}==\"{product:04x}\", TAG+=\"uaccess\""
    )
}

/// Where the rule goes: before udev's own 73-seat-late.rules, which acts on the tag.
pub const UDEV_RULES: &str = "/etc/udev/rules.d/70-bootlace.rules";

/// This user may not use the device.
pub fn usb_forbidden(port: impl Display, numbers: (u16, u16)) -> Sentence {
    let rule = udev_rule(numbers);
    Sentence::new(
        "PortForbidden",
        format!("You may not use the USB device {port}."),
        format!("On Linux, put this line into {UDEV_RULES}: {rule} — then plug the board in again."),
    )
}

/// The device can't be used; `why` is the system's word.
pub fn usb_unusable(port: impl Display, why: impl Display) -> Sentence {
    Sentence::new(
        "PortUnusable",
        format!("The USB device {port} can't be used: {why}."),
        "Unplug the board and plug it in again. If that does not help, use its serial port.",
    )
}

/// No port of these names is there.
pub fn no_port(names: &[String]) -> Sentence {
    Sentence::new("NoPort", format!("There is no port {}.", names.join(", ")), PLUG)
}

/// This port is not there, or went away.
pub fn missing(port: impl Display) -> Sentence {
    Sentence::new("NoPort", format!("There is no port {port}."), PLUG)
}

/// This user may not use the port.
pub fn forbidden(port: impl Display) -> Sentence {
    Sentence::new(
        "PortForbidden",
        format!("You may not use the port {port}."),
        "On Linux, join the group that owns it (often dialout): “sudo usermod -aG dialout $USER”, then log in again.",
    )
}

/// Another program uses the port.
pub fn busy(port: impl Display) -> Sentence {
    Sentence::new(
        "PortBusy",
        format!("The port {port} is busy: another program is using it."),
        "Close terminals, pages and other tools that use the port, then start the update again.",
    )
}

/// The port can't be opened; `why` is the system's word.
pub fn unusable(port: impl Display, why: impl Display) -> Sentence {
    Sentence::new(
        "PortUnusable",
        format!("The port {port} can't be opened: {why}."),
        "Check that this is a serial port and that no other program uses it.",
    )
}
