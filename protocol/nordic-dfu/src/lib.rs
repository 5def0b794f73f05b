//! Nordic's DFU over a serial port: how the bootloaders of nRF5 SDK 12 to 17 take an application, among them the one on the
//! nRF52840 dongle (PCA10059), which shows itself on USB as 1915:521f.
//!
//! Requests are an opcode and its parameters in SLIP (RFC 1055) frames; replies repeat the opcode and say how it ended. Two
//! objects are sent: the init packet, which says what the firmware is and for which hardware, and the firmware, a page at a time.
//! What the loader holds of both, and its CRC-32, is asked for first, so that an interrupted transfer goes on where it ended.
//!
//! Sources: nRF5 SDK 17.0.2, `components/libraries/bootloader/{dfu,serial_dfu}` and `components/libraries/slip`; the host's side
//! as Nordic's `pc-nrfutil` 6.1.7 does it (`dfu_transport_serial.py`).
//!
//! **What the dongle's loader asks for** (`examples/dfu/open_bootloader/pca10059_usb/config/sdk_config.h`): hardware version 52;
//! no signature (`NRF_DFU_REQUIRE_SIGNED_APP_UPDATE 0`: one that is there is not looked at); any version of the application
//! (`NRF_DFU_APP_DOWNGRADE_PREVENTION 0`); SoftDevice 0, which says that the application needs none. Bootloaders that makers built with
//! a key of their own take what the maker signed: a package that somebody brings is sent as it is.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod init;
mod manifest;
mod news;
mod reply;
mod request;
mod slip;
mod transfer;

pub use init::{Facts, InitError, Kind, facts, init_packet};
pub use manifest::{ManifestError, Names, manifest, names};
pub use news::{Ended, Fault, News, Next, Package, Stage, Target};
pub use reply::{Code, Extended};
pub use request::Op;
pub use slip::{Decoder, encode};
pub use transfer::Transfer;

/// Vendor and product number of the loader on USB (`APP_USBD_VID`, `APP_USBD_PID`).
pub const DEVICE: (u16, u16) = (0x1915, 0x521F);
/// Bits a second: what loaders on a UART are built for; on USB any speed will do.
pub const BAUD: u32 = 115_200;
/// The hardware version of nRF52 boards (`NRF_DFU_HW_VERSION`).
pub const HARDWARE: u32 = 52;
