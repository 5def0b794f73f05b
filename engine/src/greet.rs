//! Asking who is at an open port, before any session owns it.

use alloc::boxed::Box;

use bootlace_smp::frame::Framing;

use crate::identify::{Identify, Identity};
use crate::line::Line;
use crate::transmit::Transmit;
use crate::wanted::Known;
use crate::{BoardInfo, Error, Instant, PortInfo};

/// Asks the board at one open port who it is: one for each port, whoever waits for a board. It is driven as a
/// [`Session`](crate::Session) is.
#[derive(Debug)]
pub struct Greeter {
    line: Line,
    port: PortInfo,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Asking(Identify),
    Answered(Box<BoardInfo>),
    Nobody(Error),
    /// The answer was taken.
    Over,
}

/// A board that said who it is, and the line to it: for [`Session::adopt`](crate::Session::adopt).
#[derive(Debug)]
pub struct Greeted {
    pub(crate) line: Line,
    pub(crate) port: PortInfo,
    /// What the board said.
    pub board: Box<BoardInfo>,
}

impl Greeter {
    /// Asks at a port that is open. `framing` is the one to use once it is known what the board takes; `None`: the best.
    pub fn new(now: Instant, port: PortInfo, framing: Option<Framing>) -> Self {
        let mut line = Line::new();
        let identify = Identify::new(&mut line, now, framing, Known::of_framing(framing));
        Greeter {
            line,
            port,
            stage: Stage::Asking(identify),
        }
    }

    /// Takes bytes from the port.
    pub fn handle_input(&mut self, now: Instant, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (taken, received) = self.line.receive(rest);
            self.line.arrived(now, taken, received.is_some());
            rest = rest.get(taken.max(1)..).unwrap_or_default();
            if let Some(received) = received {
                let packet = received.packet();
                self.line.note_sense(&packet);
                self.step(|identify, line| identify.handle_packet(line, now, &packet));
            }
        }
    }

    /// Takes the time. Late or in vain does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.step(|identify, line| identify.handle_timeout(line, now));
    }

    fn step(&mut self, step: impl FnOnce(Identify, &mut Line) -> Identity) {
        self.stage = match core::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Asking(identify) => match step(identify, &mut self.line) {
                Identity::Asking(identify) => Stage::Asking(identify),
                Identity::Known(board) => Stage::Answered(board),
                Identity::Nobody(error) => Stage::Nobody(error),
            },
            stage => stage,
        };
    }

    /// What is to be done with the port, in order; `None` when there is no more.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.line.transmit().map(Transmit::Bytes)
    }

    /// When [`Greeter::handle_timeout`] is due; `None`: there is an answer.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Asking(identify) => Some(identify.deadline()),
            _ => None,
        }
    }

    /// Who is there, once that is known; once.
    ///
    /// # Errors
    /// Why nobody is known to be there.
    pub fn poll_greeted(&mut self) -> Option<Result<Box<Greeted>, Error>> {
        match core::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Answered(board) => Some(Ok(Box::new(Greeted {
                line: core::mem::replace(&mut self.line, Line::new()),
                port: self.port,
                board,
            }))),
            Stage::Nobody(error) => Some(Err(error)),
            stage => {
                self.stage = stage;
                None
            }
        }
    }
}
