//! Bytes of an image or a patch on their way to the board: several pieces at once, and the board's offset rules.
//!
//! The board answers every piece with the offset that it wants next. Answers come in the order of the pieces, so an
//! answer settles all pieces sent before its own. A piece that was not taken (one before it was lost) rewinds to the
//! board's offset; pieces sent after it will not be taken either, and are counted until they are answered, as they
//! occupy the board's buffers.

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use bootlace_smp::frame::Framing;
use bootlace_smp::{self as smp, ErrorCode, Failure, Request, Response, Version, bootlace, img};

use crate::line::{LARGEST_REQUEST, Line, Packet};
use crate::meter::Meter;
use crate::piece::whole_units;
use crate::{Asked, BoardInfo, Content, Error, Instant, PortInfo, Progress};

/// A first piece may make a board erase its slot: Zephyr's 1 MB takes about 20 s.
const ERASE_WAIT: Duration = Duration::from_secs(10);
/// How long it may take at most: 16 MB of a slow flash.
const LONGEST_ERASE: Duration = Duration::from_secs(150);
/// The same on a board of ours, which erases page by page.
const FIRST_WAIT: Duration = Duration::from_millis(1500);
const LONGEST_WAIT: Duration = Duration::from_secs(4);
/// A board is silent after so many sendings in a row, over so long.
const MOST_TIMEOUTS: u32 = 8;
const SILENCE: Duration = Duration::from_secs(20);
/// Time-outs in a row after which COBS is given up: small pieces, which pass a line that only loses bytes, were tried.
const TIMEOUTS_OF_COBS: u32 = 4;
/// Rewinds without a byte of headway.
const MOST_REWINDS: u32 = 60;
/// How often a board may lose what it had: a power failure each.
const MOST_LOSSES: u32 = 20;
/// How often it may be busy in a row.
const MOST_BUSY: u32 = 40;
const BUSY_PAUSE: Duration = Duration::from_millis(500);
/// Bytes of a frame below which nothing is gained.
const SMALLEST_FRAME: usize = 256;
/// Pieces without trouble before they grow again.
const MEND_AFTER: u32 = 64;
const REPORT_EVERY: Duration = Duration::from_millis(100);
/// A patch goes in so many pieces or more: each one may make the board write a good part of the image.
const PATCH_PIECES: u32 = 16;
/// Microseconds that a board may take for a byte that it makes from a patch: erase, program, decode. Twice what a slow
/// flash needs, as not all pieces make as much.
const MICROS_PER_PATCHED_BYTE: u64 = 120;

#[derive(Debug)]
pub(crate) struct Upload {
    content: Content,
    sha: [u8; 32],
    /// Number of the image that the first piece has to name.
    image: Option<u32>,
    /// Another framing than the one that was asked for is no use.
    keeps_framing: bool,
    /// Bytes of what is sent.
    len: u32,
    frame: usize,
    window: usize,
    align: u32,
    /// What the board has.
    done: u32,
    /// The highest offset that it ever had.
    high: u32,
    /// Where the next piece starts.
    next: u32,
    pieces: VecDeque<Piece>,
    /// How many pieces may be out: one at first and after silence, all that the board has room for otherwise.
    allowed: usize,
    /// Since the last answer.
    timeouts: u32,
    answered: Instant,
    rewinds: u32,
    losses: u32,
    busy: u32,
    paused: Option<Instant>,
    /// How often the pieces were halved: on a line that damages one byte in a thousand no large one arrives whole.
    halved: u32,
    /// Pieces taken since then.
    taken: u32,
    first_wait: Duration,
    /// Each first piece erases the slot, also a repeated one: it is repeated only when it was certainly lost.
    erases_again: bool,
    /// The number of a harmless request that was sent after a first piece, and when. A server takes one request after the
    /// other: the answer to this one alone says that the piece was lost.
    probe: Option<(u8, Instant)>,
    /// What the board makes of a piece of a patch before it answers.
    making: Duration,
    meter: Meter,
    reported: Option<(Instant, u32)>,
    resumed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Piece {
    seq: u8,
    end: u32,
    sent: Instant,
    fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Expected to be taken.
    Live,
    /// Expected to be refused: one before it was lost.
    Stale,
    /// Not answered in time. An answer may come after all.
    Late,
}

/// What an answer led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Headway {
    /// On it goes.
    More,
    /// The board had this much from an earlier try.
    Resumed(u32),
    /// The board has everything.
    Complete,
}

impl Upload {
    /// `len` bytes go over the line, and an image of `makes` bytes comes of them.
    pub(crate) fn new(
        now: Instant,
        content: Content,
        sha: [u8; 32],
        (len, makes): (u32, u32),
        board: &BoardInfo,
        port: PortInfo,
    ) -> Self {
        let mut frame = board.frame.min(LARGEST_REQUEST) as usize;
        if content == Content::Patch {
            frame = frame.min(((len / PATCH_PIECES) as usize).max(SMALLEST_FRAME));
        }
        let write = board
            .slots
            .iter()
            .find(|slot| slot.slot == 1)
            .and_then(|slot| slot.write)
            .unwrap_or(4);
        let window = (board.window as usize).clamp(1, 64);
        // A slow line needs seconds for a window of large frames. Ten bits a byte, and base64 in the worst case.
        let bits = (frame * (window + 1)) as u64 * 14;
        let line_time = port
            .baud
            .filter(|baud| *baud > 0)
            .map_or(0, |baud| bits * 1000 / u64::from(baud));
        let first_wait = match board.is_bootlace() {
            true => FIRST_WAIT,
            false => ERASE_WAIT,
        };
        let share = u64::from(makes) * (frame as u64).min(len.into()) / u64::from(len.max(1));
        let (align, making) = match content {
            Content::Image => (write.clamp(4, 64), Duration::ZERO),
            Content::Patch => (1, Duration::from_micros(share * MICROS_PER_PATCHED_BYTE)),
        };
        Upload {
            content,
            sha,
            image: board.direct_upload(),
            keeps_framing: false,
            len,
            frame,
            window,
            align,
            done: 0,
            high: 0,
            next: 0,
            pieces: VecDeque::new(),
            allowed: 1,
            timeouts: 0,
            answered: now,
            rewinds: 0,
            losses: 0,
            busy: 0,
            paused: None,
            halved: 0,
            taken: 0,
            first_wait: first_wait + Duration::from_millis(line_time),
            erases_again: board.recovery,
            probe: None,
            making,
            meter: Meter::new(now),
            // Nothing to say before the board has answered: after an interruption it is not back at the start.
            reported: Some((now, 0)),
            resumed: false,
        }
    }

    /// Sends as many pieces as the board has room for.
    pub(crate) fn fill(&mut self, line: &mut Line, now: Instant, bytes: &[u8]) -> Result<(), Error> {
        if self.paused.is_some_and(|until| now < until) {
            return Ok(());
        }
        self.paused = None;
        loop {
            let is_out = |piece: &&Piece| piece.fate != Fate::Late;
            let outstanding = self.pieces.iter().filter(is_out).count();
            let room = if self.next == 0 { 1 } else { self.allowed };
            if outstanding >= room || self.next >= self.len {
                return Ok(());
            }
            let seq = line.next_seq();
            let (packet, end) = self
                .piece(line.version, seq, bytes)
                .ok_or(Error::BadAnswer { asked: Asked::Params })?;
            line.send(&packet);
            self.pieces.push_back(Piece {
                seq,
                end,
                sent: now,
                fate: Fate::Live,
            });
            if self.pieces.len() > 128 {
                self.pieces.pop_front();
            }
            if self.next == 0 {
                self.allowed = 1;
            }
            self.next = end;
        }
    }

    /// The packet with the piece at `next`, and where it ends. `None`: the board's frame holds no piece.
    fn piece(&self, version: Version, seq: u8, bytes: &[u8]) -> Option<(Vec<u8>, u32)> {
        let first = self.next == 0;
        let mut message = img::Upload {
            image: self.image.filter(|_| first),
            off: self.next,
            len: first.then_some(self.len),
            sha: first.then_some(&self.sha),
            ..img::Upload::default()
        };
        let frame = (self.frame >> self.halved).max(SMALLEST_FRAME.min(self.frame));
        let mut packet = vec![0; frame];
        let encode = |packet: &mut [u8], message: img::Upload<'_>| {
            let request = match self.content {
                Content::Image => Request::Img(img::Request::Upload(message)),
                Content::Patch => Request::Bootlace(bootlace::Request::Patch(message)),
            };
            smp::encode_request(packet, version, seq, &request).ok()
        };
        let empty = encode(&mut packet, message)?;
        // The length of the data takes two bytes more than the length of nothing.
        let room = frame.checked_sub(empty + 2)?;
        let left = self.len.saturating_sub(self.next);
        let mut size = u32::try_from(room).unwrap_or(left).min(left);
        if size < left {
            size = whole_units(self.next, size, self.align, self.content == Content::Image);
        }
        if size == 0 || first && size < left.min(32) {
            return None;
        }
        let end = self.next + size;
        message.data = bytes.get(self.next as usize..end as usize)?;
        let len = encode(&mut packet, message)?;
        packet.truncate(len);
        Some((packet, end))
    }

    /// Whether the framing was chosen by somebody: then it stays, whatever happens.
    pub(crate) fn keeps_framing(&mut self, keeps: bool) {
        self.keeps_framing = keeps;
    }

    pub(crate) fn content(&self) -> Content {
        self.content
    }

    pub(crate) fn deadline(&self, line: &Line) -> Option<Instant> {
        if let Some(until) = self.paused {
            return Some(until);
        }
        let oldest = self.pieces.iter().find(|piece| piece.fate != Fate::Late)?;
        let last = self.probe.map_or(oldest.sent, |(_, sent)| sent);
        Some(last.max(self.answered) + self.wait(line))
    }

    fn wait(&self, line: &Line) -> Duration {
        let wait = if self.high == 0 || !line.is_measured() {
            self.first_wait
        } else {
            line.wait()
        };
        let wait = wait + self.making;
        (wait * (1 << self.timeouts.min(5))).min(LONGEST_WAIT.max(wait * 2))
    }

    /// Takes what the board says, if it is about the pieces.
    pub(crate) fn handle_packet(
        &mut self,
        line: &mut Line,
        now: Instant,
        packet: &Packet<'_>,
    ) -> Option<Result<Headway, Error>> {
        let header = &packet.header;
        let seq = header.seq;
        let ours = match self.content {
            Content::Image => img::GROUP,
            Content::Patch => bootlace::GROUP,
        };
        match (packet.response.ok()?, self.content) {
            (Response::Img(img::Response::Upload { off, matched }), Content::Image)
            | (Response::Bootlace(bootlace::Response::Patch { off, matched }), Content::Patch) => {
                Some(self.handle_answer(line, now, seq, off, matched))
            }
            (Response::Failure(failure), _)
                if header.group == ours && self.probe.is_none_or(|(it, _)| it != seq) =>
            {
                let taken = self.handle_failure(line, now, seq, &failure);
                Some(taken.map(|()| Headway::More))
            }
            _ if self.probe.is_some_and(|(probe, _)| probe == seq) => {
                self.give_up_pieces();
                Some(Ok(Headway::More))
            }
            // A late answer to something else, or nonsense: the piece runs out of time.
            _ => None,
        }
    }

    fn asked(&self) -> Asked {
        match self.content {
            Content::Image => Asked::Upload,
            Content::Patch => Asked::Patch,
        }
    }

    /// Takes an answer to a piece; one that is to none of ours is nothing.
    fn handle_answer(
        &mut self,
        line: &mut Line,
        now: Instant,
        seq: u8,
        off: u32,
        matched: Option<bool>,
    ) -> Result<Headway, Error> {
        let Some(piece) = self.settle(line, now, seq) else {
            return Ok(Headway::More);
        };
        if off > self.len {
            return Err(Error::BadAnswer { asked: self.asked() });
        }
        self.busy = 0;
        let lost = off < self.done;
        let was_first = self.high == 0 && self.next == piece.end;
        if off >= piece.end {
            self.done = off;
            self.next = self.next.max(off);
            self.taken += 1;
            if self.taken >= MEND_AFTER {
                self.taken = 0;
                self.halved = self.halved.saturating_sub(1);
            }
        } else if lost || piece.fate == Fate::Live {
            self.done = off;
            self.next = off;
            self.rewinds += 1;
            self.losses += u32::from(lost);
            for piece in self.pieces.iter_mut().filter(|piece| piece.fate == Fate::Live) {
                piece.fate = Fate::Stale;
            }
        } else {
            self.done = off;
            self.next = self.next.max(off);
        }
        if off > self.high {
            self.high = off;
            self.rewinds = 0;
        }
        if self.rewinds > MOST_REWINDS || self.losses > MOST_LOSSES {
            return Err(Error::Stuck { offset: off });
        }
        if off == self.len {
            return if matched == Some(false) {
                Err(Error::Mismatch)
            } else {
                Ok(Headway::Complete)
            };
        }
        if was_first && off > piece.end && !self.resumed {
            self.resumed = true;
            self.meter = Meter::new(now);
            self.meter.start_from(off);
            return Ok(Headway::Resumed(off));
        }
        Ok(Headway::More)
    }

    /// Takes a refusal of a piece.
    fn handle_failure(
        &mut self,
        line: &mut Line,
        now: Instant,
        seq: u8,
        failure: &Failure<'_>,
    ) -> Result<(), Error> {
        if self.settle(line, now, seq).is_none() {
            return Ok(());
        }
        self.busy += 1;
        let transient = matches!(
            failure.code(),
            Some(ErrorCode::Busy | ErrorCode::NoMemory | ErrorCode::Timeout)
        );
        if !transient || self.busy > MOST_BUSY {
            return Err(Error::refused(self.asked(), failure));
        }
        for piece in &mut self.pieces {
            piece.fate = Fate::Stale;
        }
        self.next = self.done;
        self.allowed = 1;
        self.paused = Some(now + BUSY_PAUSE);
        Ok(())
    }

    /// The piece that this answer is to; those before it are lost, or their answers are.
    fn settle(&mut self, line: &mut Line, now: Instant, seq: u8) -> Option<Piece> {
        let place = self.pieces.iter().position(|piece| piece.seq == seq)?;
        let piece = self.pieces.drain(..=place).next_back()?;
        // Every sending has its own number, so a late answer says how long answers take.
        line.measured(now.since(piece.sent));
        self.answered = now;
        self.timeouts = 0;
        self.probe = None;
        self.allowed = self.window;
        Some(piece)
    }

    pub(crate) fn handle_timeout(&mut self, line: &mut Line, now: Instant) -> Result<(), Error> {
        if self.paused.is_some() || self.deadline(line).is_none_or(|due| now < due) {
            return Ok(());
        }
        self.timeouts += 1;
        let waits_for_erase = self.erases_again && self.high == 0;
        let silent = now.since(self.answered);
        let in_vain = self.timeouts >= MOST_TIMEOUTS && silent >= SILENCE;
        if in_vain || line.is_baffling() || waits_for_erase && silent >= LONGEST_ERASE {
            return Err(line.given_up(self.asked()));
        }
        line.clear_throat();
        if waits_for_erase {
            let probe = line.encode(&Request::Img(img::Request::State), self.frame);
            self.probe = probe.map(|(seq, packet)| {
                line.send(&packet);
                (seq, now)
            });
            return Ok(());
        }
        self.give_up_pieces();
        // Small answers pass a line that changes some bytes (LF to CR LF), and pieces do not: lines of text do.
        if self.timeouts >= TIMEOUTS_OF_COBS && line.framing == Framing::Cobs && !self.keeps_framing {
            line.leave_cobs();
            self.halved = 0;
        }
        Ok(())
    }

    /// What is out is lost, or its answers are: it is sent again, in smaller pieces from the second time on.
    fn give_up_pieces(&mut self) {
        if self.timeouts >= 2 && self.halved < 4 {
            self.halved += 1;
            self.taken = 0;
        }
        for piece in &mut self.pieces {
            piece.fate = Fate::Late;
        }
        self.probe = None;
        self.next = self.done;
        self.allowed = 1;
    }

    /// How far it is, where that is worth saying again.
    pub(crate) fn report(&mut self, now: Instant) -> Option<Progress> {
        self.meter.at(now, self.done);
        let due = self.reported.is_none_or(|(at, done)| {
            done != self.done && (now.since(at) >= REPORT_EVERY || self.done == self.len)
        });
        if !due {
            return None;
        }
        self.reported = Some((now, self.done));
        let left = u64::from(self.len - self.done.min(self.len));
        let rate = self.meter.rate();
        let remaining = rate.filter(|rate| *rate > 0);
        Some(Progress {
            content: self.content,
            done: self.done,
            total: self.len,
            rate: rate.map(|rate| u32::try_from(rate).unwrap_or(u32::MAX)),
            remaining: remaining.map(|rate| Duration::from_millis(left.saturating_mul(1000) / rate)),
        })
    }
}
