//! SMP over USB without a serial port: a vendor interface with one bulk endpoint each way, which carry the same stream of
//! frames ([`frame`](crate::frame)) as a serial line. A full packet at the end of a message is followed by an empty one.
//!
//! Hosts find the interface by these three numbers, whatever vendor and product number the device has. USB gives class 0xFF
//! to vendors, with both numbers below it; programs that look for one of ours must not take any vendor's interface for it.

/// Class of the interface: the vendor's own.
pub const CLASS: u8 = 0xFF;
/// Subclass: `S`, the first letter of SMP.
pub const SUBCLASS: u8 = b'S';
/// Protocol: `M`, the second letter.
pub const PROTOCOL: u8 = b'M';
