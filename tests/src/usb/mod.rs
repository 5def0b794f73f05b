//! USB devices of our own that Chromium, libusb and nusb take for real ones.
//!
//! On Linux all three find devices in sysfs and by udev's messages, and talk to them by ioctls on files below `/dev/bus/usb`.
//! [`Bus::new`] lays a tmpfs over the parts of `/sys` and `/dev` that are looked at, with everything that was there bound into
//! it, and mounts a file system of its own (FUSE) at `/dev/bus/usb` whose files answer those ioctls. The device behind a file
//! is the USB stack of the emulated board's own binary: transfers go to the emulator's USB host and come back from it. Or the device
//! is a model of a chip's loader that no emulator has ([`DfuChip`]). No kernel module, no mock in the page. Everything here works only inside [`crate::namespace::enter`].
//!
//! The files are no kinder than the kernel's: see [`usbfs`].

mod fuse;
mod ioctls;
mod memory;
mod model;
mod plug;
mod sysfs;
mod transfers;
mod usbfs;

pub use model::{DfuChip, Fault};
pub use plug::{Bus, Cord};
