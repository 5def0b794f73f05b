//! Commands and what goes with them, as bytes (AN3155, 3: “communication safety”, and the section of each command).

use alloc::vec::Vec;

/// Has the loader measure the line's speed (1).
pub(crate) const HELLO: u8 = 0x7F;
/// The loader agrees, or does not.
pub(crate) const ACK: u8 = 0x79;
/// See [`ACK`].
pub(crate) const NACK: u8 = 0x1F;

/// Get (3.1): version, and which commands there are.
pub(crate) const GET: u8 = 0x00;
/// Get ID (3.3).
pub(crate) const GET_ID: u8 = 0x02;
/// Read Memory (3.4).
pub(crate) const READ: u8 = 0x11;
/// Go (3.5).
pub(crate) const GO: u8 = 0x21;
/// Write Memory (3.6).
pub(crate) const WRITE: u8 = 0x31;
/// Extended Erase Memory (3.8).
pub(crate) const EXTENDED_ERASE: u8 = 0x44;

/// Most bytes that are read or written at once.
pub(crate) const MOST: u32 = 256;

/// A byte with its complement: commands, and counts of bytes to read.
pub(crate) fn doubled(byte: u8) -> Vec<u8> {
    [byte, !byte].to_vec()
}

/// Bytes with the sum that makes them zero.
pub(crate) fn summed(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.push(bytes.iter().fold(0, |sum, byte| sum ^ byte));
    bytes
}

/// An address, its highest byte first.
pub(crate) fn address(at: u32) -> Vec<u8> {
    summed(at.to_be_bytes().to_vec())
}

/// One sector, by its number: how many, less one, and which (3.8). Numbers from 0xFFFD on would be parts of the chip, or all of it.
pub(crate) fn sector(number: u16) -> Vec<u8> {
    let [high, low] = number.to_be_bytes();
    summed([0, 0, high, low].to_vec())
}

/// Up to 256 bytes to be written, as many more that write nothing as make whole words (3.6).
pub(crate) fn data(bytes: &[u8]) -> Vec<u8> {
    let len = bytes.len().clamp(1, MOST as usize).next_multiple_of(4);
    let mut all: Vec<u8> = [(len - 1) as u8].to_vec();
    all.extend(bytes.iter().copied().chain(core::iter::repeat(0xFF)).take(len));
    summed(all)
}

/// Bytes to a loader that waits in the middle of a command for something: more than it can be, 256 bytes of data and their sum. None
/// of these make a command with its complement, an address with its sum, or the number of a sector. One of them differs: a loader
/// that takes the byte before for a count of data would find that many equal bytes and an equal sum right, and write them.
pub(crate) fn flood() -> Vec<u8> {
    let mut all = alloc::vec![HELLO; 272];
    if let Some(first) = all.first_mut() {
        *first = HELLO ^ 1;
    }
    all
}
