//! SLIP (RFC 1055): a frame ends with a byte that is escaped within.

use alloc::vec::Vec;

const END: u8 = 0xC0;
const ESCAPE: u8 = 0xDB;
const ESCAPED_END: u8 = 0xDC;
const ESCAPED_ESCAPE: u8 = 0xDD;

/// A frame with these bytes. None is sent before it: an END that ends nothing makes the loader handle an empty request
/// (`nrf_dfu_serial_usb.c`, `on_rx_complete`).
pub fn encode(bytes: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(bytes.len() + 8);
    for byte in bytes {
        match *byte {
            END => frame.extend([ESCAPE, ESCAPED_END]),
            ESCAPE => frame.extend([ESCAPE, ESCAPED_ESCAPE]),
            other => frame.push(other),
        }
    }
    frame.push(END);
    frame
}

/// Takes frames out of a stream of bytes.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    bytes: Vec<u8>,
    is_escaped: bool,
    /// What comes up to the next END is no frame: an escape that is none, or too much.
    is_lost: bool,
}

impl Decoder {
    /// Bytes of a frame that is kept; the longest reply has 23.
    pub const MOST: usize = 256;

    /// Takes a byte; a frame where one ends with it, but no empty one.
    pub fn take(&mut self, byte: u8) -> Option<Vec<u8>> {
        let plain = match (core::mem::take(&mut self.is_escaped), byte) {
            // Also within an escape: the next frame is not to be lost with this one.
            (false, END) => return self.end(),
            (true, END) => {
                self.is_lost = true;
                return self.end();
            }
            (false, ESCAPE) => {
                self.is_escaped = true;
                return None;
            }
            (false, other) => Some(other),
            (true, ESCAPED_END) => Some(END),
            (true, ESCAPED_ESCAPE) => Some(ESCAPE),
            (true, _) => None,
        };
        match plain {
            Some(byte) if self.bytes.len() < Self::MOST => self.bytes.push(byte),
            _ => self.is_lost = true,
        }
        None
    }

    fn end(&mut self) -> Option<Vec<u8>> {
        let frame = core::mem::take(&mut self.bytes);
        (!core::mem::take(&mut self.is_lost) && !frame.is_empty()).then_some(frame)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use alloc::vec;

    fn frames(bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut decoder = Decoder::default();
        bytes.iter().filter_map(|byte| decoder.take(*byte)).collect()
    }

    #[test]
    fn every_byte_comes_back() {
        let all: Vec<u8> = (0..=255).collect();
        let frame = encode(&all[..200]);
        // 0xC0 is 192; 0xDB is 219 and in the other part.
        assert_eq!(frame.len(), 200 + 1 + 1);
        assert_eq!(frames(&frame), [&all[..200]]);
        assert_eq!(frames(&encode(&all[200..])), [&all[200..]]);
        assert_eq!(encode(&[0xC0, 1, 0xDB]), [0xDB, 0xDC, 1, 0xDB, 0xDD, 0xC0]);
    }

    #[test]
    fn what_is_no_frame_costs_no_other_one() {
        assert_eq!(frames(&[0xC0, 0xC0, 1, 2, 0xC0]), [vec![1, 2]]);
        assert_eq!(frames(&[9, 0xDB, 0x11, 9, 0xC0, 1, 0xC0]), [vec![1]]);
        assert_eq!(frames(&[9, 0xDB, 0xC0, 1, 0xC0]), [vec![1]]);
        let mut long = vec![7; Decoder::MOST + 1];
        long.extend([0xC0, 1, 0xC0]);
        assert_eq!(frames(&long), [vec![1]]);
    }
}
