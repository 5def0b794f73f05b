//! What a step of the session works with.

use alloc::boxed::Box;
use alloc::collections::VecDeque;

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
    /// A port is open.
    pub(crate) open: bool,
    pub(crate) phase: &'a mut Option<Phase>,
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
