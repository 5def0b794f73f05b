//! Applying a patch on a board: bytes go in in pieces of any size, pages come out, nothing is allocated.

mod decoder;
mod memory;
mod output;

use decoder::Decoder;
pub use memory::{Memory, PAGE, Unreadable};
use output::Output;

use crate::header::{DIGEST, Header, HeaderError, Method};
use crate::model::{History, Model, Op};
use crate::view::{self, Run};

/// The most runs that a map may have.
pub const MAX_RUNS: usize = 384;

/// Why a patch can't be applied. None of these heals: the patch has to be started again, or another one taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The header makes no sense.
    Header(HeaderError),
    /// The patch is for another base than the one the board has.
    WrongBase,
    /// The target does not fit where it should go.
    TooLarge,
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
    /// An earlier error ended this patch, or none was started.
    Stopped,
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
    Stopped,
    Header,
    Start,
    Runs,
    Map,
    Body,
    Last,
    Done,
}

/// A patch being applied: less than 8 KB, meant to be a `static` or, made by `const { Applier::new() }`, a function's own.
///
/// Call [`start`](Self::start), then [`feed`](Self::feed) and [`step`](Self::step) in turn. After a [`Step::Page`] the
/// page has to be in flash before the next step: the patch may copy from it.
// In this order: the code of a Cortex-M0 reaches 124 bytes of a struct at once, and all beyond takes more code.
#[repr(C)]
pub struct Applier {
    stage: Stage,
    /// A page has been handed out and may go at the next step.
    page_out: bool,
    /// Bytes of the stream that have been fed.
    fed: u32,
    /// What is left of a copy, and its distance.
    length: u32,
    distance: u32,
    history: History,
    runs: usize,
    /// While the map is read: how many runs are missing, and the last one.
    missing: u32,
    key: u32,
    shift: i32,
    header: Header,
    /// The base that the board has, and the room for the target.
    base_len: u32,
    room: u32,
    base_digest: [u8; DIGEST],
    decoder: Decoder,
    output: Output,
    map: [Run; MAX_RUNS],
    model: Model,
}

impl Default for Applier {
    fn default() -> Self {
        Self::new()
    }
}

impl core::fmt::Debug for Applier {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // Not the 8 KB.
        f.debug_struct("Applier")
            .field("stage", &self.stage)
            .field("header", &self.header)
            .field("progress", &self.progress())
            .finish_non_exhaustive()
    }
}

impl Applier {
    /// An applier that has nothing to do; all zeros, so that a `static` of it costs no flash.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            stage: Stage::Stopped,
            base_digest: [0; DIGEST],
            base_len: 0,
            room: 0,
            header: Header::EMPTY,
            decoder: Decoder::EMPTY,
            fed: 0,
            model: Model::NEW,
            map: [Run::ZERO; MAX_RUNS],
            runs: 0,
            missing: 0,
            key: 0,
            shift: 0,
            history: History::EMPTY,
            length: 0,
            distance: 0,
            output: Output::EMPTY,
            page_out: false,
        }
    }

    /// Begins a patch. `base_len` and `base_digest` (SHA-256) are those of the base that the board has, proved by
    /// reading all of it; `room` is the most bytes that the target may have.
    pub fn start(&mut self, base_len: u32, base_digest: &[u8; 32], room: u32) {
        // Not by assigning a new one: that would stand on the stack first.
        self.stage = Stage::Header;
        self.decoder.clear();
        self.output.clear();
        self.fed = 0;
        self.runs = 0;
        self.length = 0;
        self.page_out = false;
        let [a, b, c, d, e, f, g, h, ..] = *base_digest;
        self.base_digest = [a, b, c, d, e, f, g, h];
        self.base_len = base_len;
        self.room = room;
    }

    /// Takes bytes of the patch; returns how many. Fewer than given means that [`step`](Self::step) has to make room
    /// first. After the patch's last byte any more are an error.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        let mut taken = 0;
        for &byte in bytes {
            match self.stage {
                Stage::Stopped => return Err(Error::Stopped),
                Stage::Header => {
                    self.decoder.push(byte);
                    // A header ends where it says: looked at byte by byte, no byte of the stream is taken for it.
                    match self.header.read(self.decoder.input()) {
                        Ok(_) => {}
                        Err(HeaderError::Incomplete) => {
                            taken += 1;
                            continue;
                        }
                        Err(error) => return self.stop(Error::Header(error)),
                    }
                    if let Err(error) = self.begin() {
                        return self.stop(error);
                    }
                }
                _ if self.fed == self.header.stream_len => return self.stop(Error::Surplus),
                _ => {
                    if !self.decoder.push(byte) {
                        break;
                    }
                    self.fed += 1;
                }
            }
            taken += 1;
        }
        Ok(taken)
    }

    /// The header, once it has been fed and as long as nothing is wrong.
    #[must_use]
    pub fn header(&self) -> Option<&Header> {
        (!matches!(self.stage, Stage::Stopped | Stage::Header)).then_some(&self.header)
    }

    /// Bytes of the target that have been programmed, taking a page that was handed out as programmed.
    #[must_use]
    pub fn progress(&self) -> u32 {
        let page = if self.page_out {
            self.page().len() as u32
        } else {
            0
        };
        self.output.start.saturating_add(page)
    }

    /// What the last step made: [`PAGE`] bytes, or fewer at the target's end.
    #[must_use]
    pub fn page(&self) -> &[u8] {
        self.output.page()
    }

    fn stop<T>(&mut self, error: Error) -> Result<T, Error> {
        self.stage = Stage::Stopped;
        Err(error)
    }

    fn begin(&mut self) -> Result<(), Error> {
        let header = &self.header;
        let same = header.base_len == self.base_len && header.base_digest == self.base_digest;
        if header.method.has_base() && !same {
            return Err(Error::WrongBase);
        }
        if header.target_len > self.room {
            return Err(Error::TooLarge);
        }
        self.output.thumb = header.method.is_thumb();
        self.history.begin(header.base_len);
        self.model = Model::NEW;
        self.decoder.clear();
        self.stage = Stage::Start;
        Ok(())
    }

    /// Goes on until a page is full, input is missing, or all is done. Reads memory at most twice for each byte of the
    /// page.
    pub fn step<M: Memory>(&mut self, memory: &mut M) -> Result<Step, Error> {
        match self.advance(memory) {
            Ok(step) => Ok(step),
            Err(error) => self.stop(error),
        }
    }

    fn advance<M: Memory>(&mut self, memory: &mut M) -> Result<Step, Error> {
        if self.stage == Stage::Stopped {
            return Err(Error::Stopped);
        }
        if self.page_out {
            self.page_out = false;
            self.output.next_page();
        }
        loop {
            if self.output.full() {
                return Ok(self.hand_out());
            }
            if self.length > 0 {
                self.length -= 1;
                let byte = self.behind(memory, self.distance)?.ok_or(Error::Distance)?;
                self.output.put(byte);
                continue;
            }
            let all_fed = self.fed == self.header.stream_len;
            match self.stage {
                Stage::Done => return Ok(Step::Done),
                Stage::Last => {
                    self.stage = Stage::Done;
                    if !self.page().is_empty() {
                        return Ok(self.hand_out());
                    }
                }
                Stage::Body if self.output.at == self.header.target_len => {
                    if self.decoder.held() > 0 || !all_fed {
                        return Err(Error::Trailing);
                    }
                    self.output.settle(true);
                    self.stage = Stage::Last;
                }
                Stage::Header | Stage::Stopped => return Ok(Step::NeedInput),
                _ if !self.decoder.ready() && !all_fed => return Ok(Step::NeedInput),
                Stage::Start => {
                    self.decoder.begin();
                    self.stage = match self.header.method {
                        Method::Relocated => Stage::Runs,
                        _ => Stage::Body,
                    };
                }
                Stage::Runs => {
                    self.missing = self.model.count(&mut self.decoder, 0);
                    if self.missing as usize > MAX_RUNS {
                        return Err(Error::Map);
                    }
                    (self.key, self.shift) = (0, 0);
                    self.stage = Stage::Map;
                }
                Stage::Map if self.missing == 0 => {
                    self.model = Model::NEW;
                    self.stage = Stage::Body;
                }
                Stage::Map => self.run()?,
                Stage::Body => self.operation(memory)?,
            }
        }
    }

    fn hand_out(&mut self) -> Step {
        self.page_out = true;
        Step::Page {
            offset: self.output.start,
        }
    }

    /// A byte behind the one that is next.
    fn behind<M: Memory>(&mut self, memory: &mut M, distance: u32) -> Result<Option<u8>, Unreadable> {
        let map = self.map.get(..self.runs).unwrap_or_default();
        self.output.behind(memory, &self.header, map, distance)
    }

    fn run(&mut self) -> Result<(), Error> {
        let (forward, change) = self.model.run(&mut self.decoder, 0, 0);
        let key = self.key.saturating_add(forward);
        let shift = self.shift.checked_add(change).ok_or(Error::Map)?;
        let in_order = forward > 0 || self.runs == 0;
        if !in_order || key >= 1 << 24 || !(-(1 << 23)..1 << 23).contains(&shift) {
            return Err(Error::Map);
        }
        *self.map.get_mut(self.runs).ok_or(Error::Map)? = Run::new(key, shift);
        self.runs += 1;
        self.missing -= 1;
        (self.key, self.shift) = (key, shift);
        Ok(())
    }

    fn operation<M: Memory>(&mut self, memory: &mut M) -> Result<(), Error> {
        let (at, base_len, history) = (self.output.at, self.header.base_len, &self.history);
        // Looked for among all runs: only when an operation depends on it.
        let mut proposed = None;
        let map =
            (self.header.method == Method::Relocated).then(|| self.map.get(..self.runs).unwrap_or_default());
        let mapped = || {
            proposed = map.and_then(|map| history.proposed(view::proposal(map, at, base_len), base_len));
            proposed.is_some()
        };
        let op = self
            .model
            .op(&mut self.decoder, history.state, at, mapped, Op::Literal);
        let (mut length, mut distance) = (1, 0);
        if op == Op::Literal {
            let beside = self.behind(memory, self.history.repeat(0))?;
            let byte = self.model.literal(&mut self.decoder, at, beside, 0);
            self.output.put(byte);
        } else {
            length = self.model.length(&mut self.decoder, op, at, 0);
            distance = match op {
                Op::Repeat(which) => history.repeat(which),
                Op::Mapped => proposed.unwrap_or(0),
                Op::Base => history
                    .anchor
                    .wrapping_add_signed(self.model.difference(&mut self.decoder, 0)),
                _ => self.model.distance(&mut self.decoder, length, 0),
            };
            // Whether there is anything at this distance shows at the first byte.
            if length > self.header.target_len.saturating_sub(at) {
                return Err(Error::Length);
            }
            (self.length, self.distance) = (length, distance);
        }
        self.history.note(op, at, length, distance);
        Ok(())
    }
}
