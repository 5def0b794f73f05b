//! Putting packets on the line.

use super::framing::{Framing, LINE_BYTES, crc16};

/// The character of a number below 64. No table: this is smaller.
fn base64(value: u8) -> u8 {
    match value {
        0..26 => b'A' + value,
        26..52 => b'a' - 26 + value,
        62 => b'+',
        63 => b'/',
        _ => value.wrapping_sub(52).wrapping_add(b'0'),
    }
}

/// Frames one packet, a piece at a time, as the line has room for it.
///
/// It borrows nothing: the packet is passed at each call, the same one until [`Encoder::is_done`].
#[derive(Clone, Debug)]
pub struct Encoder {
    framing: Framing,
    crc: u16,
    /// Bytes of the stream that are already taken: length, packet and CRC in console framing, packet and CRC in
    /// COBS, the packet alone in raw.
    at: usize,
    /// Bytes of the stream.
    len: usize,
    /// Console: bytes left in this line. COBS: bytes left before the next code byte.
    left: usize,
    /// COBS: where the block that is being sent ends, a zero follows that is not sent.
    zero: bool,
    done: bool,
    /// Bytes ready to go out: at most a mark, four characters and the end of the line.
    ready: [u8; 7],
    from: u8,
    to: u8,
}

impl Encoder {
    /// Ready to frame `packet`. Console framing has 16 bits for the length: a packet longer than 65,533 bytes
    /// can't be framed that way and comes out cut; SMP's own buffers end far below.
    pub fn new(framing: Framing, packet: &[u8]) -> Self {
        let crc = match framing {
            Framing::Raw => 0,
            _ => packet.iter().fold(0, |crc, byte| crc16(crc, *byte)),
        };
        let extra = match framing {
            Framing::Console => 4,
            Framing::Cobs => 2,
            Framing::Raw => 0,
        };
        let len = packet.len() + extra;
        Encoder {
            framing,
            crc,
            at: 0,
            len,
            left: 0,
            zero: false,
            done: false,
            ready: [0; 7],
            from: 0,
            to: 0,
        }
    }

    /// Whether every byte is out.
    pub const fn is_done(&self) -> bool {
        self.done && self.from == self.to
    }

    /// Writes as much as fits into `out`; says how much that is.
    pub fn read(&mut self, packet: &[u8], out: &mut [u8]) -> usize {
        let mut written = 0;
        for place in out {
            let Some(byte) = self.next_byte(packet) else { break };
            *place = byte;
            written += 1;
        }
        written
    }

    /// The next byte of the line.
    #[inline(never)]
    pub fn next_byte(&mut self, packet: &[u8]) -> Option<u8> {
        if self.from == self.to {
            if self.done {
                return None;
            }
            (self.from, self.to) = (0, 0);
            match self.framing {
                Framing::Console => self.console(packet),
                Framing::Cobs => self.cobs(packet),
                Framing::Raw => match self.stream(packet) {
                    Some(byte) => self.put(byte),
                    None => self.done = true,
                },
            }
        }
        if self.from == self.to {
            return None;
        }
        let byte = self.ready.get(usize::from(self.from)).copied();
        self.from += 1;
        byte
    }

    #[inline(never)]
    fn put(&mut self, byte: u8) {
        if let Some(place) = self.ready.get_mut(usize::from(self.to)) {
            *place = byte;
            self.to += 1;
        }
    }

    /// The byte at `at` of the stream.
    fn peek(&self, packet: &[u8], at: usize) -> Option<u8> {
        let at = match self.framing {
            Framing::Console => {
                let with_crc = (packet.len() as u16).wrapping_add(2).to_be_bytes();
                match with_crc.get(at) {
                    Some(byte) => return Some(*byte),
                    None => at - with_crc.len(),
                }
            }
            _ => at,
        };
        match packet.get(at) {
            Some(byte) => Some(*byte),
            None if self.framing == Framing::Raw => None,
            None => self.crc.to_be_bytes().get(at - packet.len()).copied(),
        }
    }

    fn stream(&mut self, packet: &[u8]) -> Option<u8> {
        let byte = self.peek(packet, self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn console(&mut self, packet: &[u8]) {
        if self.left == 0 {
            let mark = if self.at == 0 { [0x06, 0x09] } else { [0x04, 0x14] };
            mark.into_iter().for_each(|byte| self.put(byte));
            self.left = LINE_BYTES;
        }
        let (mut bits, mut bytes) = (0u32, 0);
        for _ in 0..3 {
            let byte = self.stream(packet);
            bytes += u32::from(byte.is_some());
            bits = bits << 8 | u32::from(byte.unwrap_or(0));
        }
        for place in 0..4 {
            let value = (bits >> (18 - 6 * place)) as u8 & 63;
            self.put(if place <= bytes { base64(value) } else { b'=' });
        }
        self.left = self.left.saturating_sub(3);
        self.done = self.at >= self.len || bytes < 3;
        if self.done || self.left == 0 {
            self.left = 0;
            self.put(b'\n');
        }
    }

    fn cobs(&mut self, packet: &[u8]) {
        if self.left > 0 {
            self.left -= 1;
            let byte = self.stream(packet).unwrap_or(0);
            return self.put(byte);
        }
        // The zero that ended the block before this one. At its first call there was none.
        if self.zero {
            if self.at >= self.len {
                self.done = true;
                return self.put(0);
            }
            self.at += 1;
        }
        let mut run = 0;
        while run < 254 && self.peek(packet, self.at + run).is_some_and(|byte| byte != 0) {
            run += 1;
        }
        self.left = run;
        // A full block is followed by no zero, and always by another block.
        self.zero = run < 254;
        self.put(run as u8 + 1);
    }
}

/// Frames a whole packet, handing out pieces of the line in order.
pub fn encode(framing: Framing, packet: &[u8], mut emit: impl FnMut(&[u8])) {
    let mut encoder = Encoder::new(framing, packet);
    let mut piece = [0; 128];
    while !encoder.is_done() {
        let len = encoder.read(packet, &mut piece);
        match piece.get(..len) {
            Some(piece) if len > 0 => emit(piece),
            _ => break,
        }
    }
}
