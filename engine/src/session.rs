//! One board's session: what its driver calls.

use alloc::boxed::Box;
use alloc::collections::VecDeque;

use bootlace_smp::frame::Framing;

use crate::context::{Context, Proved};
use crate::greet::Greeted;
use crate::line::Line;
use crate::state::State;
use crate::time::Clock;
use crate::update::Order;
use crate::{
    BoardInfo, CheckedImage, Command, Error, Event, Instant, Job, Options, Outcome, Phase, Plan, PortEvent,
    PortInfo, Transmit, Unchanged, Wanted,
};

/// A session with one board. See the crate's documentation for how to drive it.
#[derive(Debug)]
pub struct Session {
    line: Line,
    events: VecDeque<Event>,
    board: Option<Box<BoardInfo>>,
    port: PortInfo,
    open: bool,
    phase: Option<Phase>,
    changed: bool,
    proved: Option<Proved>,
    framing: Option<Framing>,
    clock: Clock,
    state: State,
}

impl Session {
    /// A session on a port that is open. It starts by asking the board who it is.
    pub fn new(now: Instant) -> Self {
        Session::with_framing(now, None)
    }

    /// The same, where the framing is known: a server that takes raw packets alone is asked in no other.
    pub fn with_framing(now: Instant, framing: Option<Framing>) -> Self {
        let mut session = Session {
            line: Line::new(),
            events: VecDeque::new(),
            board: None,
            port: PortInfo::default(),
            open: true,
            phase: None,
            changed: false,
            proved: None,
            framing,
            clock: Clock::default(),
            state: State::Closed,
        };
        session.step(now, |_, ctx| State::connect(ctx, None));
        session
    }

    /// A session with a board that said who it is.
    pub fn greeted(now: Instant, greeted: Box<Greeted>) -> Self {
        let Greeted { line, port, board } = *greeted;
        let mut session = Session {
            line,
            events: VecDeque::new(),
            board: None,
            port,
            open: true,
            phase: None,
            changed: false,
            proved: None,
            framing: None,
            clock: Clock::default(),
            state: State::Closed,
        };
        session.step(now, |state, ctx| state.adopt(ctx, board));
        session
    }

    /// The board, once it is known.
    pub fn board(&self) -> Option<&BoardInfo> {
        self.board.as_deref()
    }

    /// Bytes a second on the wire, roughly, by how fast the board said who it is; `None` before that. A port that was
    /// opened at no speed has none, and holds nothing up.
    pub fn pace(&self) -> Option<u32> {
        self.port.baud.map_or(Some(u32::MAX), |_| self.line.pace())
    }

    /// Whether a job can be started.
    pub fn is_ready(&self) -> bool {
        matches!(self.state, State::Ready)
    }

    /// Where the session is.
    pub fn phase(&self) -> Phase {
        self.phase.unwrap_or(Phase::Connecting)
    }

    /// What an update would do, without starting it.
    ///
    /// # Errors
    /// What speaks against it.
    pub fn plan(&self, image: &CheckedImage, options: &Options) -> Result<Plan, Error> {
        Plan::new(image, options, self.board.as_deref().ok_or(Error::NoBoard)?)
    }

    /// Starts a job.
    ///
    /// # Errors
    /// What speaks against it. Nothing was sent, and no event tells of it.
    pub fn start(&mut self, now: Instant, job: Job) -> Result<(), Error> {
        match job {
            Job::Command(command) => self.command(now, command),
            Job::Update {
                image,
                patch,
                options,
            } => {
                self.check_ready()?;
                let board = self.board.as_deref().ok_or(Error::NoBoard)?;
                let order = Order::new(self.clock.at(now, None), image, patch, options, board)?;
                self.step(now, |_, ctx| State::update(ctx, order));
                Ok(())
            }
        }
    }

    /// Starts a command.
    ///
    /// # Errors
    /// [`Error::NoBoard`] without a port, [`Error::Busy`] while something else is under way.
    pub fn command(&mut self, now: Instant, command: Command) -> Result<(), Error> {
        if command == Command::Refresh && matches!(self.state, State::Unanswered) {
            self.step(now, |_, ctx| State::connect(ctx, Some(command)));
            return Ok(());
        }
        self.check_ready()?;
        self.step(now, |_, ctx| State::command(ctx, command));
        Ok(())
    }

    /// [`Command::Journal`]. Nothing is asked of a board that keeps none: `false`.
    ///
    /// # Errors
    /// As [`Session::command`].
    pub fn journal(&mut self, now: Instant) -> Result<bool, Error> {
        if !self.board.as_deref().is_some_and(BoardInfo::keeps_journal) {
            return Ok(false);
        }
        self.command(now, Command::Journal).map(|()| true)
    }

    /// [`Command::Confirm`].
    ///
    /// # Errors
    /// As [`Session::command`].
    pub fn confirm(&mut self, now: Instant) -> Result<(), Error> {
        self.command(now, Command::Confirm)
    }

    /// [`Command::Test`].
    ///
    /// # Errors
    /// As [`Session::command`].
    pub fn test(&mut self, now: Instant) -> Result<(), Error> {
        self.command(now, Command::Test)
    }

    /// [`Command::Reset`].
    ///
    /// # Errors
    /// As [`Session::command`].
    pub fn reset(&mut self, now: Instant, bootloader: bool) -> Result<(), Error> {
        self.command(now, Command::Reset { bootloader })
    }

    /// [`Command::Erase`].
    ///
    /// # Errors
    /// As [`Session::command`].
    pub fn erase(&mut self, now: Instant) -> Result<(), Error> {
        self.command(now, Command::Erase)
    }

    /// [`Command::Refresh`].
    ///
    /// # Errors
    /// As [`Session::command`].
    pub fn refresh(&mut self, now: Instant) -> Result<(), Error> {
        self.command(now, Command::Refresh)
    }

    /// Stops an update while that is safe: until the image is marked. Ends in [`Unchanged::Cancelled`]. `false`: there
    /// is nothing to stop, or it is too late.
    pub fn cancel(&mut self, now: Instant) -> bool {
        if !self.state.can_be_cancelled() {
            return false;
        }
        self.step(now, |_, ctx| {
            let running = ctx.board.as_deref().and_then(BoardInfo::running);
            let version = running.map(|running| running.version.clone());
            ctx.say(Event::Outcome(Outcome::Unchanged {
                reason: Unchanged::Cancelled,
                version,
            }));
            State::rest(ctx)
        });
        true
    }

    /// The board may restart: the answer to [`Event::WantsRestart`]. In vain where the session waits for nothing.
    pub fn allow_restart(&mut self, now: Instant) {
        self.step(now, State::allow_restart);
    }

    /// Whom the session waits for; `None` while it has a port, and where it needs none.
    pub fn wanted(&self) -> Option<&Wanted> {
        self.state.waits_for()
    }

    /// Takes over a board that was asked who it is, with its line: the port is open from now on. For a session that waits
    /// for its board ([`Session::wanted`]), and for one whose board was unplugged while nothing was under way.
    ///
    /// # Errors
    /// The session has a port already: the board is handed back.
    pub fn adopt(&mut self, now: Instant, greeted: Box<Greeted>) -> Result<(), Box<Greeted>> {
        if self.open {
            return Err(greeted);
        }
        let Greeted { line, port, board } = *greeted;
        (self.line, self.port, self.open) = (line, port, true);
        self.step(now, |state, ctx| state.adopt(ctx, board));
        Ok(())
    }

    fn check_ready(&self) -> Result<(), Error> {
        match self.state {
            State::Ready => Ok(()),
            State::Closed | State::Unanswered => Err(Error::NoBoard),
            _ => Err(Error::Busy),
        }
    }

    /// Takes bytes from the port.
    pub fn handle_input(&mut self, now: Instant, bytes: &[u8]) {
        let arrived = self.clock.at(now, self.due());
        let mut rest = bytes;
        while !rest.is_empty() {
            let (taken, received) = self.line.receive(rest);
            self.line.arrived(arrived, taken, received.is_some());
            rest = rest.get(taken.max(1)..).unwrap_or_default();
            if let Some(received) = received {
                let packet = received.packet();
                self.line.note_sense(&packet);
                self.step(now, |state, ctx| state.handle_packet(ctx, &packet));
            }
        }
    }

    /// Takes news about the port.
    pub fn handle_port(&mut self, now: Instant, event: PortEvent) {
        match event {
            PortEvent::Opened(port) => {
                self.port = port;
                self.open = true;
                self.line.restart();
            }
            PortEvent::Lost => {
                self.open = false;
                self.line.restart();
            }
            PortEvent::NotFound => {}
        }
        self.step(now, |state, ctx| state.handle_port(ctx, event));
    }

    /// Takes the time. Late or in vain does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.step(now, State::handle_timeout);
    }

    /// What is to be done with the port, in order; `None` when there is no more.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        if self.open {
            self.line.transmit().map(Transmit::Bytes)
        } else {
            None
        }
    }

    /// What happened; `None` when there is no more.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`Session::handle_timeout`] is due; `None`: not before something else happens.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.due().map(|due| self.clock.outside(due))
    }

    fn due(&self) -> Option<Instant> {
        self.state.deadline(&self.line)
    }

    fn step(&mut self, now: Instant, step: impl FnOnce(State, &mut Context<'_>) -> State) {
        let now = self.clock.at(now, self.due());
        let state = core::mem::replace(&mut self.state, State::Closed);
        let mut ctx = Context {
            now,
            open: self.open,
            line: &mut self.line,
            events: &mut self.events,
            board: &mut self.board,
            port: self.port,
            phase: &mut self.phase,
            changed: &mut self.changed,
            proved: &mut self.proved,
            framing: self.framing,
        };
        self.state = step(state, &mut ctx);
    }
}
