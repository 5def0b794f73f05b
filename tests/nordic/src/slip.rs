//! `components/libraries/slip/slip.c`, `slip_decode_add_byte` (lines 87 to 147).

const END: u8 = 0o300;
const ESC: u8 = 0o333;
const ESC_END: u8 = 0o334;
const ESC_ESC: u8 = 0o335;

/// `SLIP_MTU` of `nrf_dfu_serial_usb.c` (line 69), which is also the buffer's length.
pub(crate) const MTU: usize = 2 * (1024 + 1) + 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Decoding,
    Escaped,
    Clearing,
}

/// A frame that arrives.
#[derive(Debug)]
pub(crate) struct Slip {
    pub(crate) bytes: Vec<u8>,
    state: State,
}

impl Slip {
    pub(crate) fn new() -> Self {
        Slip {
            bytes: Vec::new(),
            state: State::Decoding,
        }
    }

    /// Takes a byte; whether a frame is whole with it.
    pub(crate) fn add(&mut self, byte: u8) -> bool {
        // Line 94: a full buffer takes nothing any more, not even the end of a frame.
        if self.bytes.len() == MTU {
            return false;
        }
        match (self.state, byte) {
            (State::Decoding, END) => return true,
            (State::Decoding, ESC) => self.state = State::Escaped,
            (State::Decoding, other) => self.bytes.push(other),
            (State::Escaped, ESC_END | ESC_ESC) => {
                self.bytes.push(if byte == ESC_END { END } else { ESC });
                self.state = State::Decoding;
            }
            (State::Escaped, _) => self.state = State::Clearing,
            (State::Clearing, END) => *self = Slip::new(),
            (State::Clearing, _) => {}
        }
        false
    }
}

/// `slip_encode`.
pub(crate) fn encode(bytes: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    for byte in bytes {
        match *byte {
            END => frame.extend([ESC, ESC_END]),
            ESC => frame.extend([ESC, ESC_ESC]),
            other => frame.push(other),
        }
    }
    frame.push(END);
    frame
}
