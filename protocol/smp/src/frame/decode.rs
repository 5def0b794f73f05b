//! Taking packets off the line.

use super::framing::{Framing, crc16, crc16_inline};
use crate::Header;

/// A packet that is complete: the first `len` bytes of the buffer. One that is larger than the buffer is cut to it: its
/// header still says who waits for an answer, and that there was more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// How it came in: the answer goes out the same way.
    pub framing: Framing,
    /// Bytes of the packet.
    pub len: usize,
}

/// What was dropped so far; every count stops at its largest number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Frames that a CRC proved to be damaged.
    pub crc: u32,
    /// Frames that ended too early, went on too long, or were interrupted.
    pub broken: u32,
    /// Frames larger than the buffer, of which the first bytes were given.
    pub oversize: u32,
}

/// Finds packets in a stream of bytes, in any framing.
///
/// It keeps no buffer: the caller passes one at each call, the same one until a frame is complete.
// Every part of the state has a place of its own, because a bootloader's flash pays for each that is moved.
#[derive(Clone, Debug)]
pub struct Decoder {
    state: State,
    /// Bytes decoded since the frame began, CRC included; those that fit are in the buffer.
    at: usize,
    crc: u16,
    /// Console: bytes of packet and CRC announced. Raw: bytes of the packet, once known.
    due: usize,
    /// The byte before this one, after [`State::Mark`] and [`State::Start`].
    first: u8,
    quad: Quad,
    /// COBS: bytes before the next code byte, and whether a zero is due after them.
    left: u8,
    zero: bool,
    complete: Option<Frame>,
    /// Of each [`Fault`].
    dropped: [u32; 3],
    takes_raw: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Between frames.
    Idle,
    /// After `06`, or `04` where a console packet goes on.
    Mark,
    /// In a line of a console packet.
    Line,
    /// After the line of a console packet that goes on in another line.
    Between,
    /// After a first byte that COBS and raw share.
    Start,
    /// In a COBS frame.
    Cobs,
    /// In a raw packet.
    Raw,
}

/// Up to four characters of base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Quad {
    bits: u32,
    chars: u8,
    padding: u8,
}

const NO_CHARS: Quad = Quad {
    bits: 0,
    chars: 0,
    padding: 0,
};

/// Bytes before the packet in a console frame: its length.
const CONSOLE_LENGTH: usize = 2;
/// Bytes of the CRC.
const CRC: usize = 2;

/// A packet that says that it is longer than so many buffers is taken for noise, all of which would be waited for.
const MOST_BUFFERS: usize = 4;

/// Why a frame is given up.
#[derive(Clone, Copy)]
enum Fault {
    Crc,
    Broken,
    Oversize,
}

impl Default for Decoder {
    fn default() -> Self {
        Decoder::new()
    }
}

impl Decoder {
    /// Between frames.
    pub const fn new() -> Self {
        Decoder {
            state: State::Idle,
            at: 0,
            crc: 0,
            due: 0,
            first: 0,
            quad: NO_CHARS,
            left: 0,
            zero: false,
            complete: None,
            dropped: [0; 3],
            takes_raw: true,
        }
    }

    /// Whether raw packets are taken: an updater that asked in a framing with a CRC has no use for answers without.
    pub const fn take_raw(&mut self, take: bool) {
        self.takes_raw = take;
    }

    /// What was dropped so far.
    pub const fn stats(&self) -> Stats {
        let [crc, broken, oversize] = self.dropped;
        Stats {
            crc,
            broken,
            oversize,
        }
    }

    /// Forgets a frame that is half received: the line was closed, or has been silent for long.
    pub const fn reset(&mut self) {
        self.state = State::Idle;
        self.at = 0;
    }

    /// Whether a frame is half received: its bytes are in the buffer.
    pub const fn is_inside(&self) -> bool {
        !matches!(self.state, State::Idle)
    }

    /// Whether what is half received may be a raw packet: no mark inside tells where the next one begins, only silence.
    pub const fn is_in_raw(&self) -> bool {
        matches!(self.state, State::Raw)
    }

    /// Takes bytes until a frame is complete; says how many were taken, and which frame that is.
    ///
    /// Call it again with the rest. Garbage is taken without a word: see [`Decoder::stats`].
    pub fn feed(&mut self, buf: &mut [u8], bytes: &[u8]) -> (usize, Option<Frame>) {
        let mut taken = 0;
        while let Some((&byte, rest)) = bytes.get(taken..).and_then(<[u8]>::split_first) {
            if let Some(frame) = self.byte(buf, byte) {
                return (taken + 1, Some(frame));
            }
            taken += 1 + self.cobs_run(buf, rest);
        }
        (taken, None)
    }

    fn byte(&mut self, buf: &mut [u8], byte: u8) -> Option<Frame> {
        let outcome = match self.state {
            State::Idle | State::Between => {
                self.start(byte);
                Ok(())
            }
            State::Mark => {
                self.mark(byte);
                Ok(())
            }
            State::Line => self.line(buf, byte),
            State::Start => self.second(buf, byte),
            State::Cobs => self.cobs(buf, byte),
            State::Raw => self.raw(buf, byte),
        };
        if let Err(fault) = outcome {
            self.give_up(fault);
            // What broke this frame may be the start of the next.
            self.start(byte);
        }
        self.complete.take()
    }

    fn give_up(&mut self, fault: Fault) {
        self.count(fault);
        self.reset();
    }

    fn count(&mut self, fault: Fault) {
        if let Some(count) = self.dropped.get_mut(fault as usize) {
            *count = count.saturating_add(1);
        }
    }

    fn end(&mut self, framing: Framing, len: usize, buf: &[u8]) {
        self.reset();
        if len > buf.len() {
            self.count(Fault::Oversize);
        }
        let len = len.min(buf.len());
        self.complete = Some(Frame { framing, len });
    }

    /// The first byte of a frame, or of nothing.
    #[inline(never)]
    fn start(&mut self, byte: u8) {
        // `at` is kept while a console packet goes on: a log line may come between its lines.
        let inside = self.state == State::Between;
        self.first = byte;
        match byte {
            0x06 => self.state = State::Mark,
            0x04 if inside => self.state = State::Mark,
            0x01..=0x03 | 0x08..=0x0B if !inside => self.state = State::Start,
            // A v1 read, or the zero that other clients end and begin COBS frames with.
            0x00 if !inside && self.takes_raw => self.state = State::Start,
            // A client that was restarted with another framing: it never sends text.
            0x01 | 0x02 if inside => {
                self.give_up(Fault::Broken);
                self.state = State::Start;
            }
            _ => {}
        }
    }

    fn mark(&mut self, byte: u8) {
        match (self.first, byte) {
            (0x06, 0x09) => {
                if self.at > 0 {
                    // A new packet where the old one should have gone on.
                    self.give_up(Fault::Broken);
                }
                self.begin();
                self.line_begin();
            }
            (0x04, 0x14) => self.line_begin(),
            _ => {
                self.between();
                self.start(byte);
            }
        }
    }

    fn begin(&mut self) {
        self.at = 0;
        self.crc = 0;
        self.due = 0;
    }

    fn line_begin(&mut self) {
        self.state = State::Line;
        self.quad = NO_CHARS;
    }

    fn between(&mut self) {
        self.state = if self.at > 0 { State::Between } else { State::Idle };
    }

    fn line(&mut self, buf: &mut [u8], byte: u8) -> Result<(), Fault> {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                self.quad.padding += 1;
                0
            }
            // Between the end of the base64 and the end of the line.
            b'\r' if self.quad.chars == 0 => return Ok(()),
            b'\n' if self.quad.chars == 0 => return self.line_end(buf),
            _ => return Err(Fault::Broken),
        };
        let padding = self.quad.padding;
        if padding > 0 && byte != b'=' || padding > 2 {
            return Err(Fault::Broken);
        }
        let bits = self.quad.bits << 6 | u32::from(value);
        self.quad.bits = bits;
        self.quad.chars += 1;
        if self.quad.chars == 4 {
            self.quad = NO_CHARS;
            let [_, three @ ..] = bits.to_be_bytes();
            for byte in three.into_iter().take(usize::from(3 - padding)) {
                self.console_byte(buf, byte)?;
            }
        }
        Ok(())
    }

    /// A byte of a console frame: two of length, then packet and CRC.
    fn console_byte(&mut self, buf: &mut [u8], byte: u8) -> Result<(), Fault> {
        match self.at.checked_sub(CONSOLE_LENGTH) {
            None => {
                self.due = self.due << 8 | usize::from(byte);
                self.at += 1;
                if self.at == CONSOLE_LENGTH {
                    let packet = self.due.checked_sub(CRC).ok_or(Fault::Broken)?;
                    if packet < Header::LEN {
                        return Err(Fault::Broken);
                    }
                }
            }
            Some(at) if at < self.due => {
                self.crc = crc16(self.crc, byte);
                if let Some(place) = buf.get_mut(at) {
                    *place = byte;
                }
                self.at += 1;
            }
            Some(_) => return Err(Fault::Broken),
        }
        Ok(())
    }

    fn line_end(&mut self, buf: &[u8]) -> Result<(), Fault> {
        if self.at < CONSOLE_LENGTH || self.at - CONSOLE_LENGTH < self.due {
            self.between();
            return Ok(());
        }
        if self.crc != 0 {
            return Err(Fault::Crc);
        }
        self.end(Framing::Console, self.due.saturating_sub(CRC), buf);
        Ok(())
    }

    /// The second byte: a zero means raw.
    fn second(&mut self, buf: &mut [u8], byte: u8) -> Result<(), Fault> {
        self.begin();
        match (self.first, byte) {
            // A v1 read response is `01 00`; `03` can't begin a COBS frame.
            (0x00..=0x03 | 0x08..=0x0B, 0x00) if self.takes_raw => {
                self.state = State::Raw;
                self.raw_byte(buf, self.first)?;
                self.raw_byte(buf, byte)
            }
            // Code 1: the header's first byte is zero, and the flags come with the next block.
            (0x01, 0x01..) => {
                self.block(byte);
                self.cobs_byte(buf, 0)
            }
            // Code 2: the header's first byte, then zero.
            (0x02, 0x01..) if is_first_of_header(byte) => {
                self.block(1);
                self.cobs_byte(buf, byte)
            }
            _ => {
                // Not a frame at all: nothing was lost.
                self.reset();
                self.start(byte);
                Ok(())
            }
        }
    }

    /// A code byte: what it says of the bytes that follow.
    fn block(&mut self, code: u8) {
        self.state = State::Cobs;
        self.left = code - 1;
        self.zero = code != 0xFF;
    }

    fn cobs(&mut self, buf: &mut [u8], byte: u8) -> Result<(), Fault> {
        match (byte, self.left) {
            (0, 0) => self.cobs_end(buf),
            (0, _) => Err(Fault::Broken),
            (code, 0) => {
                let zero = self.zero;
                self.block(code);
                if zero { self.cobs_byte(buf, 0) } else { Ok(()) }
            }
            (byte, _) => {
                self.left -= 1;
                self.cobs_byte(buf, byte)
            }
        }
    }

    /// A byte of packet and CRC. A frame that can't be one is given up early, so that noise which looks like a
    /// start does not swallow the frames after it.
    #[inline(never)]
    fn cobs_byte(&mut self, buf: &mut [u8], byte: u8) -> Result<(), Fault> {
        self.crc = crc16(self.crc, byte);
        if let Some(place) = buf.get_mut(self.at) {
            *place = byte;
        }
        self.at += 1;
        self.check_header(buf)?;
        if self.due > 0 && self.at > self.due + CRC {
            return Err(Fault::Broken);
        }
        Ok(())
    }

    /// Takes the next bytes of a COBS block in one go and says how many: up to the block's end, a zero, or the end that the header
    /// names. Most of an upload comes in here. Whatever else comes, and the header itself, goes byte by byte.
    #[inline(never)]
    fn cobs_run(&mut self, buf: &mut [u8], bytes: &[u8]) -> usize {
        if self.state != State::Cobs || self.at < Header::LEN {
            return 0;
        }
        let most = usize::from(self.left).min((self.due + CRC).saturating_sub(self.at));
        let places = buf.get_mut(self.at..).unwrap_or_default();
        let mut crc = self.crc;
        let mut taken = 0;
        for (place, &byte) in places.iter_mut().zip(bytes).take(most) {
            if byte == 0 {
                break;
            }
            *place = byte;
            crc = crc16_inline(crc, byte);
            taken += 1;
        }
        self.crc = crc;
        self.at += taken;
        self.left -= taken as u8;
        taken
    }

    fn cobs_end(&mut self, buf: &[u8]) -> Result<(), Fault> {
        let len = self.at.saturating_sub(CRC);
        if len < Header::LEN || self.due != len {
            return Err(Fault::Broken);
        }
        if self.crc != 0 {
            return Err(Fault::Crc);
        }
        self.end(Framing::Cobs, len, buf);
        Ok(())
    }

    fn raw(&mut self, buf: &mut [u8], byte: u8) -> Result<(), Fault> {
        self.raw_byte(buf, byte)?;
        if self.due > 0 && self.at >= self.due {
            self.end(Framing::Raw, self.due, buf);
        }
        Ok(())
    }

    #[inline(never)]
    fn raw_byte(&mut self, buf: &mut [u8], byte: u8) -> Result<(), Fault> {
        // No CRC proves a raw packet: at least its payload must begin as a map does. A line at rest may bring zeros, as which
        // a v1 read begins: that is shorter than 256 bytes, of a group below 256 that is no mark of another framing, of a
        // command up to 8, the highest that can be read, and never zeros alone.
        let is_noise = match self.at {
            2 | 4 => self.first == 0 && byte != 0,
            5 => self.first == 0 && matches!(byte, 2 | 6),
            7 => self.first == 0 && byte > 8,
            Header::LEN => !(0xA0..=0xBF).contains(&byte),
            _ => false,
        };
        if is_noise {
            return Err(Fault::Broken);
        }
        match buf.get_mut(self.at) {
            Some(place) => *place = byte,
            None if self.at < Header::LEN => return Err(Fault::Oversize),
            None => {}
        }
        self.at += 1;
        if self.at == Header::LEN && buf.starts_with(&[0; Header::LEN]) {
            return Err(Fault::Broken);
        }
        self.check_header(buf)
    }

    /// Once the header's length is known, so is the packet's. What is larger than the buffer must be of a group that there
    /// is: noise would have all of it waited for.
    fn check_header(&mut self, buf: &[u8]) -> Result<(), Fault> {
        match (self.at, buf) {
            (2, [_, 1..=255, ..]) => Err(Fault::Broken),
            (5, [_, _, _, _, 1..=255, ..]) if self.due > buf.len() => Err(Fault::Oversize),
            (4, [_, _, high, low, ..]) => {
                self.due = Header::LEN + usize::from(u16::from_be_bytes([*high, *low]));
                if self.due > MOST_BUFFERS * buf.len() {
                    Err(Fault::Oversize)
                } else {
                    Ok(())
                }
            }
            _ => Ok(()),
        }
    }
}

/// Reserved bits clear, one of the two versions, one of the four ops.
fn is_first_of_header(byte: u8) -> bool {
    matches!(byte, 0x00..=0x03 | 0x08..=0x0B)
}
