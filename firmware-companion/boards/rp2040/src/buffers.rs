//! Buffers of the chip's USB controller (datasheet, 4.1.2.7): what the driver and the loop that waits for flash know of them.

/// Which of them have changed hands, a bit each.
pub(crate) const BUFFER_STATUS: usize = 0x5011_0058;
/// Bytes of a buffer.
pub(crate) const PACKET: usize = 64;

/// Bits of a buffer's control.
pub(crate) const AVAILABLE: u32 = 1 << 10;
pub(crate) const STALL: u32 = 1 << 11;
/// The packet is to be DATA1; what was sent or received last stays here.
pub(crate) const ODD: u32 = 1 << 13;
pub(crate) const FULL: u32 = 1 << 15;
pub(crate) const LENGTH: u32 = 0x3FF;

/// What a buffer's control is with the number of the next packet, from what it was with the last.
pub(crate) const fn next_packet(control: u32) -> u32 {
    !control & ODD
}
