//! A board's line over USB: a serial port (CDC-ACM) and a vendor interface for WebUSB, which carry the same bytes.
//!
//! A host opens whichever it can: a terminal program and Web Serial the port, WebUSB and libusb the vendor interface. The
//! line listens to one of them at a time and changes only between packets, so both share one link and its memory.
#![no_std]
#![forbid(unsafe_code)]

mod device;
mod missing;
mod pipe;
mod serial_port;
mod vendor;

pub use device::{Names, UsbLine};
pub use pipe::Restart;
