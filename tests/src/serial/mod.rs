//! Serial ports of our own that Chromium takes for real USB serial ports.
//!
//! Chromium on Linux learns of ports through libudev: from sysfs once, then from the messages that udevd sends on
//! netlink. [`udev`] sends such messages; the device node they name is a pseudo-terminal. No kernel module, no mock
//! in the page. Everything here works only inside [`crate::namespace::enter`].
//!
//! A pseudo-terminal has no modem lines, so `setSignals` fails on these ports; it has no line errors and no pacing
//! either: a device model paces itself.

mod follow;
pub mod models;
mod port;
pub mod udev;

pub use follow::{Cable, Way};
pub use port::{Line, Port, Unplug};
