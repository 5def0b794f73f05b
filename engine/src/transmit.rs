//! What a driver does with a port.

use alloc::vec::Vec;

/// A thing to do with a port. So far only bytes are sent; a driver passes over what it can't do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transmit {
    /// Write these bytes, whole frames.
    Bytes(Vec<u8>),
    /// Set the port's signals: boards that start into a bootloader by them are told so.
    Signals {
        /// Data terminal ready.
        dtr: bool,
        /// Request to send.
        rts: bool,
    },
    /// Close the port and open it again with other settings.
    Reopen(PortSettings),
    /// A USB control transfer to the device.
    Control {
        /// `bmRequestType`.
        kind: u8,
        /// `bRequest`.
        request: u8,
        /// `wValue`.
        value: u16,
        /// `wIndex`.
        index: u16,
        /// The data stage.
        data: Vec<u8>,
    },
}

/// How a port is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortSettings {
    /// Bits a second.
    pub baud: u32,
    /// With an even parity bit, as some chips' own loaders want.
    pub even_parity: bool,
}
