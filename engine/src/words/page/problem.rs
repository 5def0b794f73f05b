//! What goes wrong in the page.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::super::{self as words, Sentence};
use crate::{Error, Failure, Phase};

/// What goes wrong in the browser, before a session could see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PageError {
    /// Neither `navigator.serial` nor `navigator.usb`.
    BrowserWithoutPorts,
    /// Neither https nor localhost.
    Insecure,
    /// The site's Permissions-Policy or the administrator's policy says no.
    Forbidden,
    /// The chooser was closed without a choice.
    NoPortChosen,
    /// The chooser of boards with a vendor interface was closed without a choice.
    NoDeviceChosen,
    /// No port that this page may use is plugged in.
    NoPort,
    /// Another tab of this page holds the port.
    OtherTab,
    /// `open()` failed again and again.
    PortBusy,
    /// The system does not let this user have the USB device of this vendor and product number.
    UsbDenied((u16, u16)),
    /// The vendor interface can't be claimed.
    UsbBusy,
    /// The port went away while it was being opened.
    PortVanished,
    /// The file could not be read.
    Unreadable,
    /// The file is larger than any firmware.
    FileTooLarge,
    /// The simulated board has no key to trust.
    NoDemoKey,
    /// “New board” can't be loaded.
    NoNewBoard,
    /// The worker died.
    WorkerStopped,
}

/// A thing that went wrong, with its facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Problem {
    /// In the browser.
    Page(PageError),
    /// In a session, while it did something.
    Session(Failure),
    /// With a file that was chosen as firmware.
    File(Error),
    /// The image is not for this board, or not now: nothing was sent.
    Plan(Error),
    /// With a file that was chosen as a key.
    Key(Error),
}

impl From<PageError> for Problem {
    fn from(error: PageError) -> Self {
        Problem::Page(error)
    }
}

/// The line to copy that lets this user have a device, where that is what is missing.
pub fn remedy(problem: &Problem) -> Option<String> {
    match problem {
        Problem::Page(PageError::UsbDenied(numbers)) => Some(words::ports::udev_rule(*numbers)),
        _ => None,
    }
}

/// What happened, and the next step to take.
pub fn problem(problem: &Problem) -> Sentence {
    let sentence = match problem {
        Problem::Page(error) => page_error(*error),
        Problem::Session(failure) if failure.phase > Phase::Ready => return words::failure(failure),
        Problem::Session(failure) => words::error(&failure.error),
        Problem::File(error) | Problem::Plan(error) | Problem::Key(error) => words::error(error),
    };
    // Nothing was done to a board: no word about what became of it.
    Sentence {
        unharmed: false,
        ..sentence
    }
}

fn page_error(error: PageError) -> Sentence {
    use PageError as E;
    let (name, what, next) = match error {
        E::BrowserWithoutPorts => (
            "BrowserWithoutPorts",
            "This browser can't reach boards: it has neither Web Serial nor WebUSB.",
            "Open this page in Chrome or Edge on a computer (89 or newer), in Chrome on Android (148 or newer) or in \
             Firefox on a computer (151 or newer).",
        ),
        E::Insecure => (
            "Insecure",
            "This page was opened over a connection that isn't secure, so the browser keeps ports from it.",
            "Open it with https:// or, on this computer, as http://localhost.",
        ),
        E::Forbidden => (
            "Forbidden",
            "A policy keeps this page from ports.",
            "Ask whoever runs this site to allow “serial” and “usb” in its Permissions-Policy, or your administrator to \
             allow them for it.",
        ),
        E::NoPortChosen => (
            "NoPortChosen",
            "No port was chosen.",
            "Plug the board in, press Connect and pick it from the list. Is it not in the list? Try another cable (some \
             only charge) or another socket.",
        ),
        E::NoDeviceChosen => (
            "NoDeviceChosen",
            "No board was chosen.",
            "Boards whose bootloader has a USB interface of its own are in this list. Is yours not in the list? Connect it \
             by its serial port.",
        ),
        E::UsbDenied(_) => (
            "UsbDenied",
            "This computer does not let you use the USB device.",
            "On Linux, put the line below into /etc/udev/rules.d/70-bootlace.rules, then plug the board in again. On Windows, \
             plug the board in again; if that does not help, connect it by its serial port.",
        ),
        E::UsbBusy => (
            "UsbBusy",
            "The USB device can't be opened: another program or page is using it.",
            "Close other pages and tools that use the board, then press Connect.",
        ),
        E::NoPort => (
            "NoPort",
            "No board is plugged in that this page may use.",
            "Plug the board in, press Connect and pick it from the list.",
        ),
        E::OtherTab => (
            "OtherTab",
            "Another tab of this page is using the board.",
            "Continue in that tab, or close it and press Connect here.",
        ),
        E::PortBusy => (
            "PortBusy",
            "The port can't be opened: another program is using it.",
            "Close terminals and other tools that use the port, then press Connect. On Linux, a port that was plugged in \
             just now can be busy for ten seconds: wait and press Connect again.",
        ),
        E::PortVanished => (
            "PortVanished",
            "The port went away while it was being opened.",
            "Check the cable and plug the board in again. The page connects by itself.",
        ),
        E::Unreadable => (
            "Unreadable",
            "The file could not be read.",
            "Choose it again. If it lies on a stick or a network drive, copy it to this computer first.",
        ),
        E::FileTooLarge => (
            "FileTooLarge",
            "This file is too large to be firmware.",
            "Choose the signed firmware image (usually a .bin file of less than a few megabytes).",
        ),
        E::NoDemoKey => (
            "NoDemoKey",
            "The simulated board has no key to trust.",
            "Add the public key of whoever signs your firmware (under Firmware, Trusted keys), then try again.",
        ),
        E::NoNewBoard => (
            "NoNewBoard",
            "This part of the page could not be loaded.",
            "Check the connection and try again. “cargo xtask run” builds it after the page: give it a few minutes.",
        ),
        E::WorkerStopped => (
            "WorkerStopped",
            "Something failed inside the page.",
            "Reload the page and connect again: the board keeps what it has received, and the update continues from there.",
        ),
    };
    Sentence::new(name, what, next)
}
