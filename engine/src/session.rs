//! One board's session: what is under way, and who gets what arrives.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bootlace_smp::Header;

use crate::command::{Commanding, Returning};
use crate::identify::{Identify, Identity, Known};
use crate::line::Line;
use crate::update::{Away, Marking, Restarting, Update, Uploading, Watching};
use crate::{
    BoardInfo, CheckedImage, Command, Error, Event, Failure, Instant, Job, Options, Outcome, Phase, Plan,
    PortEvent, PortInfo, Unchanged,
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
    state: State,
}

/// What a state works with.
pub(crate) struct Context<'a> {
    pub(crate) now: Instant,
    pub(crate) line: &'a mut Line,
    pub(crate) events: &'a mut VecDeque<Event>,
    pub(crate) board: &'a mut Option<Box<BoardInfo>>,
    pub(crate) port: PortInfo,
    open: bool,
    phase: &'a mut Option<Phase>,
}

/// What is under way. One struct per state; what a state does not need it does not have.
#[derive(Debug)]
pub(crate) enum State {
    /// No port is open, and none is needed.
    Closed,
    /// A port is open, and nobody answered.
    Deaf,
    /// Asking the board who it is. The command, if that was one; what failed before is not said twice.
    Connecting(Identify, Option<Command>, Quiet),
    /// The board is known.
    Ready,
    Commanding(Commanding),
    /// After a restart that was a command of its own.
    Returning(Returning),
    Uploading(Box<Uploading>),
    /// Unplugged in mid-update, before the restart.
    Away(Box<Away>),
    Marking(Box<Marking>),
    Restarting(Box<Restarting>),
    Watching(Box<Watching>),
}

/// Whether to say that nobody answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quiet {
    Yes,
    No,
}

impl Context<'_> {
    pub(crate) fn say(&mut self, event: Event) {
        self.events.push_back(event);
    }

    pub(crate) fn enter(&mut self, phase: Phase) {
        if *self.phase != Some(phase) {
            *self.phase = Some(phase);
            self.say(Event::Phase(phase));
        }
    }

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

    /// Back to where commands are taken.
    pub(crate) fn rest(&mut self) -> State {
        match (self.open, self.board.is_some()) {
            (false, _) => State::Closed,
            (true, true) => {
                self.enter(Phase::Ready);
                State::Ready
            }
            (true, false) => State::Deaf,
        }
    }

    pub(crate) fn fail(&mut self, error: Error) -> State {
        let phase = self.phase.unwrap_or(Phase::Connecting);
        self.say(Event::Failed(Failure { error, phase }));
        if !self.open {
            return State::Closed;
        }
        // What the board is now may be another thing than it was.
        *self.board = None;
        self.connect(None, Quiet::Yes)
    }

    pub(crate) fn end(&mut self, outcome: Outcome) -> State {
        self.say(Event::Outcome(outcome));
        self.rest()
    }

    pub(crate) fn connect(&mut self, command: Option<Command>, quiet: Quiet) -> State {
        self.enter(Phase::Connecting);
        State::Connecting(
            Identify::new(self.line, self.now, None, Known::Nothing),
            command,
            quiet,
        )
    }
}

impl Session {
    /// A session on a port that is open. It starts by asking the board who it is.
    pub fn new(now: Instant) -> Self {
        let mut session = Session {
            line: Line::new(),
            events: VecDeque::new(),
            board: None,
            port: PortInfo::default(),
            open: true,
            phase: None,
            state: State::Closed,
        };
        session.step(now, |_, ctx| ctx.connect(None, Quiet::No));
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
                let update = Update::new(now, image, patch, options, board)?;
                self.step(now, |_, ctx| update.begin(ctx));
                Ok(())
            }
        }
    }

    /// Starts a command.
    ///
    /// # Errors
    /// [`Error::NoBoard`] without a port, [`Error::Busy`] while something else is under way.
    pub fn command(&mut self, now: Instant, command: Command) -> Result<(), Error> {
        if command == Command::Refresh && matches!(self.state, State::Deaf) {
            self.step(now, |_, ctx| ctx.connect(Some(command), Quiet::No));
            return Ok(());
        }
        self.check_ready()?;
        self.step(now, |_, ctx| match command {
            Command::Refresh => ctx.connect(Some(command), Quiet::No),
            _ => Commanding::begin(ctx, command),
        });
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
        if !matches!(self.state, State::Uploading(_) | State::Away(_)) {
            return false;
        }
        self.step(now, |_, ctx| {
            let running = ctx.board.as_deref().and_then(BoardInfo::running);
            let version = running.map(|running| running.version.clone());
            ctx.end(Outcome::Unchanged {
                reason: Unchanged::Cancelled,
                version,
            })
        });
        true
    }

    fn check_ready(&self) -> Result<(), Error> {
        match self.state {
            State::Ready => Ok(()),
            State::Closed | State::Deaf => Err(Error::NoBoard),
            _ => Err(Error::Busy),
        }
    }

    /// Takes bytes from the port.
    pub fn handle_input(&mut self, now: Instant, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (taken, packet) = self.line.receive(rest);
            self.line.arrived(now, taken, packet.is_some());
            rest = rest.get(taken.max(1)..).unwrap_or_default();
            let Some(packet) = packet else { continue };
            let Ok((header, payload)) = Header::parse(&packet) else {
                continue;
            };
            self.step(now, |state, ctx| state.handle_packet(ctx, &header, payload));
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

    /// Bytes to be written to the port, whole frames; `None` when there are no more.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        if self.open { self.line.transmit() } else { None }
    }

    /// What happened; `None` when there is no more.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`Session::handle_timeout`] is due; `None`: not before something else happens.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.state.deadline(&self.line)
    }

    fn step(&mut self, now: Instant, step: impl FnOnce(State, &mut Context<'_>) -> State) {
        let state = core::mem::replace(&mut self.state, State::Closed);
        let mut ctx = Context {
            now,
            line: &mut self.line,
            events: &mut self.events,
            board: &mut self.board,
            port: self.port,
            open: self.open,
            phase: &mut self.phase,
        };
        self.state = step(state, &mut ctx);
    }
}

impl State {
    fn handle_packet(self, ctx: &mut Context<'_>, header: &Header, payload: &[u8]) -> State {
        match self {
            State::Closed | State::Deaf | State::Ready => self,
            State::Connecting(identify, command, quiet) => {
                let identity = identify.handle_packet(ctx.line, ctx.now, header, payload);
                connecting(ctx, identity, command, quiet)
            }
            State::Commanding(it) => it.handle_packet(ctx, header, payload),
            State::Returning(it) => it.handle_packet(ctx, header, payload),
            State::Uploading(it) => it.handle_packet(ctx, header, payload),
            State::Away(it) => (*it).handle_packet(ctx, header, payload),
            State::Marking(it) => it.handle_packet(ctx, header, payload),
            State::Restarting(it) => it.handle_packet(ctx, header, payload),
            State::Watching(it) => it.handle_packet(ctx, header, payload),
        }
    }

    fn handle_timeout(self, ctx: &mut Context<'_>) -> State {
        match self {
            State::Closed | State::Deaf | State::Ready => self,
            State::Connecting(identify, command, quiet) => {
                let identity = identify.handle_timeout(ctx.line, ctx.now);
                connecting(ctx, identity, command, quiet)
            }
            State::Commanding(it) => it.handle_timeout(ctx),
            State::Returning(it) => it.handle_timeout(ctx),
            State::Uploading(it) => it.handle_timeout(ctx),
            State::Away(it) => (*it).handle_timeout(ctx),
            State::Marking(it) => it.handle_timeout(ctx),
            State::Restarting(it) => it.handle_timeout(ctx),
            State::Watching(it) => it.handle_timeout(ctx),
        }
    }

    fn handle_port(self, ctx: &mut Context<'_>, event: PortEvent) -> State {
        match self {
            State::Commanding(it) if it.is_reset() && event == PortEvent::Lost => it.lost(ctx),
            State::Returning(it) => State::Returning(it.handle_port(ctx, event)),
            State::Uploading(it) => (*it).handle_port(ctx, event),
            State::Away(it) => (*it).handle_port(ctx, event),
            State::Marking(it) => (*it).handle_port(ctx, event),
            State::Restarting(it) => (*it).handle_port(ctx, event),
            State::Watching(it) => (*it).handle_port(ctx, event),
            state => match (event, state) {
                (PortEvent::Opened(_), _) => {
                    *ctx.board = None;
                    ctx.connect(None, Quiet::No)
                }
                (PortEvent::Lost, State::Connecting(_, _, Quiet::No) | State::Commanding(_)) => {
                    ctx.fail(Error::PortLost)
                }
                (PortEvent::Lost, _) => State::Closed,
                (PortEvent::NotFound, state) => state,
            },
        }
    }

    fn deadline(&self, line: &Line) -> Option<Instant> {
        match self {
            State::Closed | State::Deaf | State::Ready => None,
            State::Connecting(identify, ..) => Some(identify.deadline()),
            State::Commanding(it) => Some(it.deadline()),
            State::Returning(it) => Some(it.deadline()),
            State::Uploading(it) => it.deadline(line),
            State::Away(it) => Some(it.deadline()),
            State::Marking(it) => Some(it.deadline()),
            State::Restarting(it) => Some(it.deadline()),
            State::Watching(it) => Some(it.deadline()),
        }
    }
}

fn connecting(ctx: &mut Context<'_>, identity: Identity, command: Option<Command>, quiet: Quiet) -> State {
    match identity {
        Identity::Asking(identify) => State::Connecting(identify, command, quiet),
        Identity::Known(board) => {
            // A command's answer is said even where nothing changed.
            if command.is_some() {
                *ctx.board = None;
            }
            ctx.meet(board);
            if let Some(command) = command {
                ctx.say(Event::Done(command));
            }
            ctx.rest()
        }
        Identity::Nobody(error) => {
            if quiet == Quiet::No {
                ctx.say(Event::Failed(Failure {
                    error,
                    phase: Phase::Connecting,
                }));
            }
            *ctx.board = None;
            State::Deaf
        }
    }
}
