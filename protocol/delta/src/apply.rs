//! Applying a patch on a board: bytes go in in pieces of any size, pages come out, nothing is allocated.

use crate::header::{DIGEST, Header, HeaderError, MAX_LEN};
use crate::model::{Coder, History, Model, Op, PRECISION, Prob, adapt};
use crate::view::{self, Layout, Run};

/// Bytes of a page: what one [`step`](Applier::step) makes at most.
pub const PAGE: usize = 256;
/// The most runs that a map may have.
pub const MAX_RUNS: usize = 384;

/// What one symbol reads at most, rounded up: 9 bits of an operation, 11 of a length and 11 of a distance at no more
/// than 8.1 bits each (a probability is never below 15/4096), and 53 without a model: 38 bytes, and one for the rest.
const SYMBOL: usize = 40;
/// Bytes of input that are held: a header, or a symbol and some more.
const HELD: usize = MAX_LEN;
/// A branch that reaches over the end of a page: the page's buffer has room for the rest of it.
const OVER: usize = 4;
/// Bytes of the target's view that are kept because their branches are not settled in the page yet.
const RECENT: usize = 16;

/// Flash, as an [`Applier`] reads it. It never writes.
pub trait Memory {
    /// Reads the base: the image that the board runs. Reads never reach beyond the base's length.
    fn read_base(&mut self, offset: u32, out: &mut [u8]) -> Result<(), Unreadable>;
    /// Reads pages of the target that have been programmed already; offsets as in [`Step::Page`].
    fn read_target(&mut self, offset: u32, out: &mut [u8]) -> Result<(), Unreadable>;
}

/// Memory could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// Why a patch can't be applied. None of these heals: the patch has to be started again, or another one taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The header makes no sense.
    Header(HeaderError),
    /// The patch is for another base than the one the board has.
    WrongBase,
    /// The target does not fit where it should go.
    TooLarge {
        /// Bytes of the target.
        target: u32,
    },
    /// The map has too many runs, runs out of order, or shifts out of range.
    Map,
    /// A copy from before the base or from nowhere.
    Distance,
    /// A copy that goes beyond the target's end.
    Length,
    /// The stream goes on after the target's end.
    Trailing,
    /// More bytes than the header announced.
    Surplus,
    /// Memory could not be read.
    Memory,
}

impl From<Unreadable> for Error {
    fn from(Unreadable: Unreadable) -> Self {
        Error::Memory
    }
}

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing can be done before more bytes are fed.
    NeedInput,
    /// [`Applier::page`] belongs at this offset of the target and has to be there before the next step.
    Page {
        /// Bytes from the target's start, a multiple of [`PAGE`].
        offset: u32,
    },
    /// The target is complete. Whether it is the right one is for its digest and signature to say.
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Header,
    Start,
    Runs,
    Map { left: u32, key: u32, shift: i32 },
    Body,
    Last,
    Done,
    Failed(Error),
}

/// A patch being applied: about 8 KB, meant to be a `static` or a part of one.
///
/// Call [`start`](Self::start), then [`feed`](Self::feed) and [`step`](Self::step) in turn.
pub struct Applier {
    stage: Stage,
    base_digest: [u8; DIGEST],
    base_have: u32,
    room: u32,
    header: Option<Header>,
    layout: Layout,
    input: [u8; HELD],
    held: usize,
    /// Bytes of the stream that have been fed.
    fed: u32,
    range: u32,
    code: u32,
    model: Model,
    map: [Run; MAX_RUNS],
    runs: usize,
    history: History,
    /// Bytes of the target's view that are known.
    at: u32,
    /// What is left of a copy, and its distance.
    copy: (u32, u32),
    recent: [u8; RECENT],
    page: [u8; PAGE + OVER],
    page_start: u32,
    page_len: usize,
    /// A page has been handed out and may go at the next step.
    page_out: bool,
    /// The last word of the base's view, by its offset.
    word: (u32, [u8; 4]),
}

impl Default for Applier {
    fn default() -> Self {
        Self::new()
    }
}

/// The decoding side of the coder: reads bits from the held input.
struct Decoder<'a> {
    range: u32,
    code: u32,
    input: &'a [u8],
}

impl Decoder<'_> {
    #[inline]
    fn normalise(&mut self) {
        if self.range < 1 << 24 {
            // Zeros at the end of a stream are not sent.
            let byte = self.input.split_off_first().copied().unwrap_or(0);
            self.range <<= 8;
            self.code = self.code << 8 | u32::from(byte);
        }
    }
}

impl Coder for Decoder<'_> {
    fn bit(&mut self, prob: &mut Prob, _: u32) -> u32 {
        self.normalise();
        let bound = (self.range >> PRECISION) * u32::from(*prob >> 4);
        let bit = if self.code < bound {
            self.range = bound;
            0
        } else {
            self.range -= bound;
            self.code -= bound;
            1
        };
        adapt(prob, bit);
        bit
    }

    fn direct(&mut self, count: u32, _: u32) -> u32 {
        let mut value = 0;
        for _ in 0..count {
            self.normalise();
            self.range >>= 1;
            let bit = u32::from(self.code >= self.range);
            self.code -= self.range * bit;
            value = value << 1 | bit;
        }
        value
    }
}

impl Applier {
    /// An applier that has nothing to do; all zeros, so that a `static` of it costs no flash.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            stage: Stage::Header,
            base_digest: [0; DIGEST],
            base_have: 0,
            room: 0,
            header: None,
            layout: Layout {
                base_len: 0,
                base_address: 0,
                target_address: 0,
                ram: 0,
            },
            input: [0; HELD],
            held: 0,
            fed: 0,
            range: 0,
            code: 0,
            model: Model::EMPTY,
            map: [Run::ZERO; MAX_RUNS],
            runs: 0,
            history: History {
                state: 0,
                repeats: [0; 4],
                anchor: 0,
            },
            at: 0,
            copy: (0, 0),
            recent: [0; RECENT],
            page: [0; PAGE + OVER],
            page_start: 0,
            page_len: 0,
            page_out: false,
            word: (0, [0; 4]),
        }
    }

    /// Begins a patch. `base_len` and `base_digest` (SHA-256) are those of the base that the board has, proved by
    /// reading all of it; `room` is the most bytes that the target may have.
    pub fn start(&mut self, base_len: u32, base_digest: &[u8; 32], room: u32) {
        self.stage = Stage::Header;
        let [a, b, c, d, e, f, g, h, ..] = *base_digest;
        self.base_digest = [a, b, c, d, e, f, g, h];
        self.base_have = base_len;
        self.room = room;
        self.header = None;
        self.held = 0;
        self.fed = 0;
        self.runs = 0;
        self.at = 0;
        self.copy = (0, 0);
        self.page_start = 0;
        self.page_len = 0;
        self.page_out = false;
        self.word = (u32::MAX, [0; 4]);
    }

    /// Takes bytes of the patch; returns how many. Fewer than given means that [`step`](Self::step) has to make room
    /// first. After the patch's last byte any more are an error.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        if let Stage::Failed(error) = self.stage {
            return Err(error);
        }
        let mut taken = 0;
        if self.header.is_none() {
            for &byte in bytes {
                let Some(slot) = self.input.get_mut(self.held) else {
                    break;
                };
                *slot = byte;
                self.held += 1;
                taken += 1;
                // The last byte of a header completes it: it is looked at byte by byte, so nothing more is taken.
                match self.input.get(..self.held).map(Header::parse) {
                    Some(Err(HeaderError::Incomplete)) => {}
                    Some(Err(error)) => return self.fail(Error::Header(error)),
                    Some(Ok((header, _))) => {
                        self.begin(header)?;
                        break;
                    }
                    None => break,
                }
            }
        }
        let Some(header) = &self.header else {
            return Ok(taken);
        };
        let rest = bytes.get(taken..).unwrap_or_default();
        let due = header.stream_len - self.fed;
        if due == 0 && !rest.is_empty() {
            return self.fail(Error::Surplus);
        }
        let free = self.input.get_mut(self.held..).unwrap_or_default();
        let mut count = 0;
        for (slot, &byte) in free.iter_mut().zip(rest).take(due as usize) {
            *slot = byte;
            count += 1;
        }
        self.held += count;
        self.fed += count as u32;
        Ok(taken + count)
    }

    /// The header, once it has been fed.
    #[must_use]
    pub fn header(&self) -> Option<&Header> {
        self.header.as_ref()
    }

    /// Bytes of the target that have been handed out, and so programmed by the next step.
    #[must_use]
    pub fn progress(&self) -> u32 {
        self.page_start.saturating_add(if self.page_out {
            self.page().len() as u32
        } else {
            0
        })
    }

    /// What the last step made: [`PAGE`] bytes, or less at the target's end.
    #[must_use]
    pub fn page(&self) -> &[u8] {
        self.page.get(..self.page_len.min(PAGE)).unwrap_or_default()
    }

    fn fail<T>(&mut self, error: Error) -> Result<T, Error> {
        self.stage = Stage::Failed(error);
        Err(error)
    }

    fn begin(&mut self, header: Header) -> Result<(), Error> {
        if header.method.has_base()
            && (header.base_len != self.base_have || header.base_digest != self.base_digest)
        {
            return self.fail(Error::WrongBase);
        }
        if header.target_len > self.room {
            return self.fail(Error::TooLarge {
                target: header.target_len,
            });
        }
        self.layout = Layout {
            base_len: header.base_len,
            base_address: header.base_address,
            target_address: header.target_address,
            ram: header.ram,
        };
        self.history = History::new(header.base_len);
        self.model.reset();
        self.header = Some(header);
        self.held = 0;
        self.stage = Stage::Start;
        Ok(())
    }

    /// Goes on until a page is full, input is missing, or all is done. Reads memory, at most a few words for each byte
    /// of the page.
    pub fn step<M: Memory>(&mut self, memory: &mut M) -> Result<Step, Error> {
        match self.advance(memory) {
            Ok(step) => Ok(step),
            Err(error) => self.fail(error),
        }
    }

    fn advance<M: Memory>(&mut self, memory: &mut M) -> Result<Step, Error> {
        if self.page_out {
            self.page_out = false;
            let done = self.page_len.min(PAGE);
            self.page.copy_within(done.., 0);
            self.page_len -= done;
            self.page_start = self.page_start.saturating_add(done as u32);
        }
        loop {
            if self.page_len >= PAGE {
                self.page_out = true;
                return Ok(Step::Page {
                    offset: self.page_start,
                });
            }
            let Some(header) = self.header else {
                return match self.stage {
                    Stage::Failed(error) => Err(error),
                    _ => Ok(Step::NeedInput),
                };
            };
            if self.copy.0 > 0 {
                let byte = self.view(memory, self.copy.1)?.ok_or(Error::Distance)?;
                self.copy.0 -= 1;
                self.put(byte);
                continue;
            }
            let ready = self.held >= SYMBOL || self.fed == header.stream_len;
            match self.stage {
                Stage::Failed(error) => return Err(error),
                Stage::Done => return Ok(Step::Done),
                Stage::Last => {
                    self.stage = Stage::Done;
                    if self.page_len > 0 {
                        self.page_out = true;
                        return Ok(Step::Page {
                            offset: self.page_start,
                        });
                    }
                }
                Stage::Body if self.at == header.target_len => {
                    if self.held > 0 || self.fed != header.stream_len {
                        return Err(Error::Trailing);
                    }
                    self.settle(true);
                    self.stage = Stage::Last;
                }
                _ if !ready => return Ok(Step::NeedInput),
                Stage::Header | Stage::Start => {
                    self.range = u32::MAX;
                    self.code = 0;
                    for _ in 0..4 {
                        self.code = self.code << 8
                            | u32::from(self.input.first().copied().filter(|_| self.held > 0).unwrap_or(0));
                        self.consume(1);
                    }
                    self.stage = if header.method == crate::Method::Relocated {
                        Stage::Runs
                    } else {
                        Stage::Body
                    };
                }
                Stage::Runs => {
                    let left = self.decode(|model, decoder| model.length.code(decoder, 0, 0));
                    if left as usize > MAX_RUNS {
                        return Err(Error::Map);
                    }
                    self.stage = Stage::Map {
                        left,
                        key: 0,
                        shift: 0,
                    };
                }
                Stage::Map { left: 0, .. } => {
                    self.model.reset();
                    self.stage = Stage::Body;
                }
                Stage::Map { left, key, shift } => self.run(left, key, shift)?,
                Stage::Body => self.operation(memory, &header)?,
            }
        }
    }

    fn consume(&mut self, count: usize) {
        let count = count.min(self.held);
        self.input.copy_within(count.., 0);
        self.held -= count;
    }

    fn decode<T>(&mut self, symbols: impl FnOnce(&mut Model, &mut Decoder) -> T) -> T {
        let input = self.input.get(..self.held).unwrap_or_default();
        let mut decoder = Decoder {
            range: self.range,
            code: self.code,
            input,
        };
        let value = symbols(&mut self.model, &mut decoder);
        let left = decoder.input.len();
        (self.range, self.code) = (decoder.range, decoder.code);
        self.consume(self.held - left);
        value
    }

    fn run(&mut self, left: u32, key: u32, shift: i32) -> Result<(), Error> {
        let (forward, change) =
            self.decode(|model, decoder| (model.distance.code(decoder, 0, 0), model.difference(decoder, 0)));
        let first = self.runs == 0;
        let key = key
            .checked_add(forward)
            .filter(|key| *key < 1 << 24 && (first || forward > 0))
            .ok_or(Error::Map)?;
        let shift = shift.checked_add(change).ok_or(Error::Map)?;
        if !(-(1 << 23)..1 << 23).contains(&shift) {
            return Err(Error::Map);
        }
        *self.map.get_mut(self.runs).ok_or(Error::Map)? = Run::new(key, shift);
        self.runs += 1;
        self.stage = Stage::Map {
            left: left - 1,
            key,
            shift,
        };
        Ok(())
    }

    fn map(&self) -> &[Run] {
        self.map.get(..self.runs).unwrap_or_default()
    }

    fn operation<M: Memory>(&mut self, memory: &mut M, header: &Header) -> Result<(), Error> {
        let (at, history) = (self.at, self.history);
        // Asked for by few operations, and dear: only when it matters.
        let mut proposed = None;
        let op = {
            let input = self.input.get(..self.held).unwrap_or_default();
            let mut decoder = Decoder {
                range: self.range,
                code: self.code,
                input,
            };
            let runs = self.map.get(..self.runs).unwrap_or_default();
            let mapped = || {
                if header.method == crate::Method::Relocated {
                    proposed = history.proposed(view::proposal(runs, at, header.base_len), header.base_len);
                }
                proposed.is_some()
            };
            let op = self
                .model
                .op(&mut decoder, history.state, at, mapped, Op::Literal);
            let left = decoder.input.len();
            (self.range, self.code) = (decoder.range, decoder.code);
            self.consume(self.held - left);
            op
        };
        if op == Op::Literal {
            let beside = self.view(memory, history.repeat(0))?;
            let byte = self.decode(|model, decoder| model.literal(decoder, at, beside, 0));
            self.history.note(op, at, 1, 0);
            self.put(byte);
            return Ok(());
        }
        let length = self.decode(|model, decoder| model.length(decoder, op, at, 0));
        let distance = match op {
            Op::Repeat(which) => history.repeat(which),
            Op::Mapped => proposed.ok_or(Error::Distance)?,
            Op::Base => {
                let difference = self.decode(|model, decoder| model.difference(decoder, 0));
                history.anchor.wrapping_add_signed(difference)
            }
            _ => self.decode(|model, decoder| model.distance(decoder, length, 0)),
        };
        if distance == 0 || distance > header.base_len.saturating_add(at) {
            return Err(Error::Distance);
        }
        if length > header.target_len.saturating_sub(at) {
            return Err(Error::Length);
        }
        self.history.note(op, at, length, distance);
        self.copy = (length, distance);
        Ok(())
    }

    /// The byte at a distance before the one that is next, as the matcher sees it; `None` where there is none.
    fn view<M: Memory>(&mut self, memory: &mut M, distance: u32) -> Result<Option<u8>, Error> {
        let base_len = self.layout.base_len;
        let Some(place) = base_len.saturating_add(self.at).checked_sub(distance) else {
            return Ok(None);
        };
        if distance == 0 {
            return Ok(None);
        }
        let thumb = self.header.is_some_and(|header| header.method.is_thumb());
        let offset = if place < base_len { place } else { place - base_len };
        let inside = (offset & 3) as usize;
        if place < base_len {
            if self.word.0 != offset & !3 {
                let at = offset & !3;
                let word = if thumb {
                    let around = around(at, |from, out| {
                        let most = base_len.saturating_sub(from) as usize;
                        let out = if out.len() > most {
                            out.get_mut(..most).unwrap_or_default()
                        } else {
                            out
                        };
                        memory.read_base(from, out)
                    })?;
                    view::base_word(around, at, &self.layout, self.map())
                } else {
                    let mut word = [0; 4];
                    let most = (base_len - at).min(4) as usize;
                    memory.read_base(at, word.get_mut(..most).unwrap_or_default())?;
                    word
                };
                self.word = (at, word);
            }
            return Ok(self.word.1.get(inside).copied());
        }
        if distance as usize <= RECENT {
            return Ok(self.recent.get(offset as usize % RECENT).copied());
        }
        if !thumb {
            let mut byte = [0];
            self.settled(memory, offset, &mut byte)?;
            let [byte] = byte;
            return Ok(Some(byte));
        }
        let around = around(offset & !3, |from, out| self.settled(memory, from, out))?;
        Ok(view::target_word(around, offset & !3).get(inside).copied())
    }

    /// Bytes of the target as they are in flash or in the page.
    fn settled<M: Memory>(&self, memory: &mut M, from: u32, out: &mut [u8]) -> Result<(), Unreadable> {
        let before = self.page_start.saturating_sub(from) as usize;
        let split = before.min(out.len());
        let Some((programmed, held)) = out.split_at_mut_checked(split) else {
            return Ok(());
        };
        if !programmed.is_empty() {
            memory.read_target(from, programmed)?;
        }
        let start = from.saturating_add(split as u32).saturating_sub(self.page_start) as usize;
        for (to, from) in held
            .iter_mut()
            .zip(self.page.get(start..self.page_len).unwrap_or_default())
        {
            *to = *from;
        }
        Ok(())
    }

    /// Takes a byte of the target's view.
    fn put(&mut self, byte: u8) {
        if let Some(slot) = self.recent.get_mut(self.at as usize % RECENT) {
            *slot = byte;
        }
        self.at = self.at.saturating_add(1);
        self.settle(false);
    }

    /// Moves what no later byte can change into the page, branches as displacements again.
    fn settle(&mut self, all: bool) {
        let thumb = self.header.is_some_and(|header| header.method.is_thumb());
        loop {
            let from = self.page_start.saturating_add(self.page_len as u32);
            let waiting = self.at.saturating_sub(from);
            let byte = |index: u32| {
                let place = from.wrapping_add(index) as usize % RECENT;
                self.recent.get(place).copied().unwrap_or(0)
            };
            let half = |index: u32| u16::from_le_bytes([byte(index), byte(index + 1)]);
            let mut bytes = [byte(0), byte(1), byte(2), byte(3)];
            let count = if !thumb || all && waiting < 4 {
                waiting.min(4)
            } else if waiting < 2 {
                0
            } else if half(0) & 0xf800 != 0xf000 {
                2
            } else if waiting < 4 {
                0
            } else if view::branch(half(0), half(2)) {
                bytes = view::bytes(view::relative(half(0), half(2), from));
                4
            } else {
                2
            };
            if count == 0 {
                return;
            }
            for byte in bytes.into_iter().take(count as usize) {
                if let Some(slot) = self.page.get_mut(self.page_len) {
                    *slot = byte;
                    self.page_len += 1;
                }
            }
        }
    }
}

/// The four halfwords around a word: from two bytes before it to two bytes behind it; zero where there is nothing.
fn around<E>(at: u32, read: impl FnOnce(u32, &mut [u8]) -> Result<(), E>) -> Result<[u16; 4], E> {
    let mut bytes = [0; 8];
    match at.checked_sub(2) {
        Some(from) => read(from, &mut bytes)?,
        None => read(0, bytes.get_mut(2..).unwrap_or_default())?,
    }
    let [a, b, c, d, e, f, g, h] = bytes;
    Ok([
        u16::from_le_bytes([a, b]),
        u16::from_le_bytes([c, d]),
        u16::from_le_bytes([e, f]),
        u16::from_le_bytes([g, h]),
    ])
}
