//! A board's line over USB: a serial port (CDC-ACM) and a vendor interface for WebUSB, which carry the same bytes.
//!
//! A host opens whichever it can: a terminal program and Web Serial the port, WebUSB and libusb the vendor interface. The
//! line listens to one of them at a time and changes only between packets, so both share one link and its memory.
#![no_std]
#![forbid(unsafe_code)]

mod control;
mod descriptors;
mod device;
mod functions;
mod pipe;
mod serial_port;

pub use device::UsbLine;
pub use functions::Names;
pub use pipe::Restart;
