//! What a step of the session works with.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bootlace_smp::frame::Framing;

use crate::line::Line;
use crate::{BoardInfo, Event, Instant, Phase, PortInfo};

/// The parts of a session that every state may use, and the time.
pub(crate) struct Context<'a> {
    pub(crate) now: Instant,
    pub(crate) line: &'a mut Line,
    pub(crate) events: &'a mut VecDeque<Event>,
    /// What the board said of itself last.
    pub(crate) board: &'a mut Option<Box<BoardInfo>>,
    pub(crate) port: PortInfo,
    /// The one framing to use, where the driver knows it.
    pub(crate) framing: Option<Framing>,
    /// A port is open.
    pub(crate) open: bool,
    pub(crate) phase: &'a mut Option<Phase>,
    /// The image that this session saw confirmed last.
    pub(crate) proved: &'a mut Option<Proved>,
    /// Something was done to the board that it may not be able to take back: see [`Failure`](crate::Failure).
    pub(crate) changed: &'a mut bool,
}

/// An image that a board confirmed: it starts none below this counter from its next start on, and may say so only then.
#[derive(Clone, Debug)]
pub(crate) struct Proved {
    pub(crate) hash: Vec<u8>,
    pub(crate) counter: u32,
}

impl Context<'_> {
    pub(crate) fn say(&mut self, event: Event) {
        self.events.push_back(event);
    }

    /// Says that a phase begins, unless it is the one under way.
    pub(crate) fn enter(&mut self, phase: Phase) {
        if *self.phase != Some(phase) {
            *self.phase = Some(phase);
            self.say(Event::Phase(phase));
        }
    }

    /// Takes over what the board says of itself, and tells of what is new.
    pub(crate) fn meet(&mut self, mut board: Box<BoardInfo>) {
        if let Some(proved) = &*self.proved
            && board
                .running()
                .is_some_and(|running| running.confirmed && running.is_of_hash(&proved.hash) == Some(true))
        {
            board.counter = board.counter.max(Some(proved.counter));
        }
        // Its journal is asked for by itself: until then what it last said stands.
        if let Some(old) = self.board.as_ref().filter(|old| old.serial == board.serial)
            && board.journal.is_none()
        {
            board.journal = old.journal.clone();
        }
        if self.board.as_ref() != Some(&board) {
            self.say(Event::Board(board.clone()));
        }
        *self.board = Some(board);
    }
}
