//! A session and a board on a line with a virtual clock.

use core::time::Duration;
use std::collections::VecDeque;
use std::vec;
use std::vec::Vec;

use super::board::Board;
use crate::{Event, Instant, PortEvent, PortInfo, Session, Transmit};

/// xorshift64*: a seed repeats a run.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 33) % n
    }
}

/// What goes wrong on the line.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// One in so many pieces of a transfer is lost, is doubled, has a bit flipped. 0: none.
    pub lost: u64,
    pub doubled: u64,
    pub flipped: u64,
    /// One in so many bytes is damaged.
    pub noise: u64,
    /// This many transfers from now, one to the board is lost. 0: none.
    pub once: u64,
    /// One in so many is late by up to so much.
    pub late: (u64, Duration),
}

pub struct Pair {
    pub now: Instant,
    pub session: Session,
    pub board: Board,
    pub events: Vec<Event>,
    pub random: Random,
    pub faults: Faults,
    pub latency: Duration,
    /// Bytes a second; 0: no limit.
    pub speed: u64,
    /// Timers fire late by so much.
    pub clamp: Duration,
    /// The line turns LF into CR LF, both ways.
    pub adds_cr: bool,
    /// Boards that are found first when the port is searched.
    pub strangers: Vec<Board>,
    elsewhere: Option<Board>,
    /// The cable is in.
    pub plugged: bool,
    /// Bytes that the session sent.
    pub sent: usize,
    open: bool,
    to_board: VecDeque<(Instant, Vec<u8>)>,
    to_session: VecDeque<(Instant, Vec<u8>)>,
    line_free: Instant,
    find: Option<Instant>,
}

impl Pair {
    pub fn new(board: Board) -> Pair {
        let now = Instant(1_000_000);
        Pair {
            now,
            session: Session::new(now),
            board,
            events: vec![],
            random: Random(1),
            faults: Faults::default(),
            latency: Duration::from_micros(500),
            speed: 0,
            clamp: Duration::ZERO,
            adds_cr: false,
            strangers: vec![],
            elsewhere: None,
            plugged: true,
            sent: 0,
            open: true,
            to_board: VecDeque::new(),
            to_session: VecDeque::new(),
            line_free: now,
            find: None,
        }
    }

    /// Runs until an event is what is waited for; `None` after `limit` of virtual time.
    pub fn until(&mut self, limit: Duration, found: impl Fn(&Event) -> bool) -> Option<Event> {
        let end = self.now + limit;
        loop {
            let first = self.events.len();
            self.turn();
            if let Some(event) = self.events[first..].iter().find(|event| found(event)) {
                return Some(event.clone());
            }
            let next = [
                self.session.poll_timeout().map(|due| due + self.clamp),
                self.board.deadline(),
                self.elsewhere.as_ref().and_then(Board::deadline),
                self.to_board.front().map(|piece| piece.0),
                self.to_session.front().map(|piece| piece.0),
                self.find,
            ];
            let next = next.into_iter().flatten().min()?;
            if next > end {
                return None;
            }
            self.now = self.now.max(next);
        }
    }

    /// Until the update is over, one way or the other.
    pub fn finish(&mut self, limit: Duration) -> Option<Event> {
        self.until(limit, |event| {
            matches!(event, Event::Outcome(_) | Event::Failed(_))
        })
    }

    pub fn unplug(&mut self) {
        self.plugged = false;
        self.lose();
    }

    fn lose(&mut self) {
        self.open = false;
        self.to_board.clear();
        self.to_session.clear();
        self.session.handle_port(self.now, PortEvent::Lost);
    }

    fn turn(&mut self) {
        let now = self.now;
        if self.open && self.elsewhere.is_none() && !(self.board.port && self.plugged) {
            self.lose();
        }
        // Bytes first, timers after.
        while let Some((_, bytes)) = self.to_board.front().cloned().filter(|piece| piece.0 <= now) {
            self.to_board.pop_front();
            self.elsewhere.as_mut().unwrap_or(&mut self.board).receive(&bytes);
        }
        let mut out = self.board.advance(now);
        if let Some(stranger) = &mut self.elsewhere {
            out = stranger.advance(now);
        }
        if !out.is_empty() && self.open {
            let took = (out.len() as u64 * 1_000_000)
                .checked_div(self.speed)
                .unwrap_or(0);
            let at = now + self.latency + Duration::from_micros(took);
            self.disturb(at, out, false);
        }
        while let Some((_, bytes)) = self.to_session.front().cloned().filter(|piece| piece.0 <= now) {
            self.to_session.pop_front();
            self.session.handle_input(now, &bytes);
        }
        if self
            .session
            .poll_timeout()
            .is_some_and(|due| due + self.clamp <= now)
        {
            self.session.handle_timeout(now);
        }
        if self.find.is_some_and(|due| due <= now) {
            self.find = None;
            self.elsewhere = self.strangers.pop();
            if self.elsewhere.is_some() || self.board.port && self.plugged {
                self.open = true;
                self.session
                    .handle_port(now, PortEvent::Opened(PortInfo::default()));
            } else {
                self.session.handle_port(now, PortEvent::NotFound);
            }
        }
        self.exchange();
    }

    fn exchange(&mut self) {
        let now = self.now;
        while let Some(Transmit::Bytes(bytes)) = self.session.poll_transmit() {
            self.sent += bytes.len();
            let took = (bytes.len() as u64 * 1_000_000)
                .checked_div(self.speed)
                .unwrap_or(0);
            self.line_free = self.line_free.max(now) + Duration::from_micros(took);
            let at = self.line_free + self.latency;
            self.disturb(at, bytes, true);
        }
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::FindBoard { .. } => {
                    self.open = false;
                    self.find = Some(now + Duration::from_millis(100));
                }
                Event::WrongBoard { .. } => {
                    self.open = false;
                    self.find = Some(now + Duration::from_millis(100));
                }
                _ => {}
            }
            self.events.push(event);
        }
    }

    fn disturb(&mut self, at: Instant, mut bytes: Vec<u8>, to_board: bool) {
        let hit = |random: &mut Random, one_in: u64| one_in > 0 && random.below(one_in) == 0;
        let random = &mut self.random;
        let faults = self.faults;
        if to_board && faults.once > 0 {
            self.faults.once -= 1;
            if self.faults.once == 0 {
                return;
            }
        }
        if hit(random, faults.lost) {
            // From here to the end, as a full buffer loses them.
            bytes.truncate(random.below(bytes.len() as u64 + 1) as usize);
        }
        if hit(random, faults.flipped) && !bytes.is_empty() {
            let place = random.below(bytes.len() as u64) as usize;
            bytes[place] ^= 1 << random.below(8);
        }
        for byte in &mut bytes {
            if hit(random, faults.noise) {
                *byte ^= 1 << random.below(8);
            }
        }
        if self.adds_cr {
            bytes = bytes
                .iter()
                .flat_map(|byte| {
                    if *byte == b'\n' {
                        vec![b'\r', b'\n']
                    } else {
                        vec![*byte]
                    }
                })
                .collect();
        }
        let copies = 1 + usize::from(hit(random, faults.doubled));
        let late = if hit(random, faults.late.0) {
            random.below(faults.late.1.as_micros() as u64 + 1)
        } else {
            0
        };
        let queue = if to_board {
            &mut self.to_board
        } else {
            &mut self.to_session
        };
        // A serial line never reorders.
        let at = queue.back().map_or(at, |last| last.0.max(at)) + Duration::from_micros(late);
        for _ in 0..copies {
            queue.push_back((at, bytes.clone()));
        }
    }

    /// A byte from nowhere.
    pub fn inject(&mut self, bytes: &[u8]) {
        self.session.handle_input(self.now, bytes);
    }

    pub fn phases(&self) -> Vec<crate::Phase> {
        self.events
            .iter()
            .filter_map(|event| {
                if let Event::Phase(phase) = event {
                    Some(*phase)
                } else {
                    None
                }
            })
            .collect()
    }
}
