//! What the end-to-end tests stand on: serial ports that Chromium takes for real USB ports, boards behind them, a static
//! server. The browser itself is `bootlace-browser`.
//!
//! Linux only: the ports are pseudo-terminals announced the way udevd announces a device.

pub mod cabled;
pub mod faults;
pub mod namespace;
pub mod opened;
pub mod page_update;
pub mod pair;
pub mod qemu;
pub mod rp2040;
pub mod runner;
pub mod serial;
pub mod serial_chip;
pub mod serve;
pub mod simulate;
pub mod sweep;
pub mod tools;
pub mod usb;
