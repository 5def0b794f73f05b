//! What is under way in a session, and what follows from what a state says. States below this one return what they came
//! to; here alone that becomes the next state.

use alloc::boxed::Box;
use core::time::Duration;

use crate::command::{Commanded, Commanding};
use crate::context::Context;
use crate::identify::{Identify, Identity};
use crate::line::{Line, Packet};
use crate::search::{Searching, Sought};
use crate::update::{Order, Updated, Updating};
use crate::wanted::Known;
use crate::{BoardInfo, Command, Error, Event, Failure, FindReason, Instant, Phase, PortEvent, Wanted};

/// How long a board may take to come back from a restart that was a command.
const RETURN_PATIENCE: Duration = Duration::from_secs(120);

/// What is under way. One struct per state; what a state does not need it does not have.
#[derive(Debug)]
pub(crate) enum State {
    /// No port is open, and none is needed.
    Closed,
    /// A port is open, and nobody answered.
    Unanswered,
    /// Asking the board who it is.
    Connecting(Connecting),
    /// The board is known.
    Ready,
    Commanding(Commanding),
    /// After a restart that was a command of its own.
    Returning(Box<Searching<Command>>),
    Updating(Updating),
}

/// Asking the board who it is.
#[derive(Debug)]
pub(crate) struct Connecting {
    identify: Identify,
    /// The command that asked for it, if one did.
    command: Option<Command>,
    silence: Silence,
}

/// What it means that nobody answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Silence {
    /// A failure.
    Fails,
    /// Nothing more: a failure was said before.
    IsExpected,
}

impl State {
    /// Starts to ask the board who it is; `command` is the one that wants to know.
    pub(crate) fn connect(ctx: &mut Context<'_>, command: Option<Command>) -> State {
        connect(ctx, command, Silence::Fails)
    }

    /// Starts a command.
    pub(crate) fn command(ctx: &mut Context<'_>, command: Command) -> State {
        match command {
            Command::Refresh => State::connect(ctx, Some(command)),
            _ => State::Commanding(Commanding::begin(ctx, command)),
        }
    }

    /// Starts an update.
    pub(crate) fn update(ctx: &mut Context<'_>, order: Box<Order>) -> State {
        *ctx.changed = false;
        let updated = Updating::begin(ctx, order);
        updating(ctx, updated)
    }

    /// Back to where commands are taken.
    pub(crate) fn rest(ctx: &mut Context<'_>) -> State {
        match (ctx.open, ctx.board.is_some()) {
            (false, _) => State::Closed,
            (true, true) => {
                ctx.enter(Phase::Ready);
                State::Ready
            }
            (true, false) => State::Unanswered,
        }
    }

    pub(crate) fn can_be_cancelled(&self) -> bool {
        matches!(self, State::Updating(it) if it.can_be_cancelled())
    }

    /// The update may restart its board.
    pub(crate) fn allow_restart(self, ctx: &mut Context<'_>) -> State {
        match self {
            State::Updating(it) => State::Updating(it.allow_restart(ctx)),
            state => state,
        }
    }

    /// The board that has to be found; `None` while a port is open.
    pub(crate) fn waits_for(&self) -> Option<&Wanted> {
        match self {
            State::Returning(search) => search.waits_for(),
            State::Updating(it) => it.waits_for(),
            _ => None,
        }
    }

    /// The board was found and asked by somebody else, and its port is open.
    pub(crate) fn adopt(self, ctx: &mut Context<'_>, board: Box<BoardInfo>) -> State {
        match self {
            State::Returning(search) => {
                let sought = search.adopt(ctx.now, board);
                returning(ctx, sought)
            }
            State::Updating(it) => {
                let updated = it.adopt(ctx, board);
                updating(ctx, updated)
            }
            _ => {
                ctx.meet(board);
                State::rest(ctx)
            }
        }
    }

    pub(crate) fn handle_packet(self, ctx: &mut Context<'_>, packet: &Packet<'_>) -> State {
        match self {
            State::Closed | State::Unanswered | State::Ready => self,
            State::Connecting(it) => {
                let identity = it.identify.handle_packet(ctx.line, ctx.now, packet);
                connecting(ctx, identity, it.command, it.silence)
            }
            State::Commanding(it) => {
                let command = it.command();
                let commanded = it.handle_packet(ctx, packet);
                commanding(ctx, command, commanded)
            }
            State::Returning(it) => {
                let sought = it.handle_packet(ctx, packet);
                returning(ctx, sought)
            }
            State::Updating(it) => {
                let updated = it.handle_packet(ctx, packet);
                updating(ctx, updated)
            }
        }
    }

    pub(crate) fn handle_timeout(self, ctx: &mut Context<'_>) -> State {
        match self {
            State::Closed | State::Unanswered | State::Ready => self,
            State::Connecting(it) => {
                let identity = it.identify.handle_timeout(ctx.line, ctx.now);
                connecting(ctx, identity, it.command, it.silence)
            }
            State::Commanding(it) => {
                let command = it.command();
                let commanded = it.handle_timeout(ctx);
                commanding(ctx, command, commanded)
            }
            State::Returning(it) => {
                let sought = it.handle_timeout(ctx);
                returning(ctx, sought)
            }
            State::Updating(it) => {
                let updated = it.handle_timeout(ctx);
                updating(ctx, updated)
            }
        }
    }

    pub(crate) fn handle_port(self, ctx: &mut Context<'_>, event: PortEvent) -> State {
        match (self, event) {
            // The port went away before the answer came: that is what a restart does.
            (State::Commanding(it), PortEvent::Lost) if it.is_reset() => {
                restarts(ctx, it.command(), Some(event))
            }
            (State::Returning(it), event) => State::Returning(Box::new(it.handle_port(ctx, event))),
            (State::Updating(it), event) => State::Updating(it.handle_port(ctx, event)),
            (_, PortEvent::Opened(_)) => {
                *ctx.board = None;
                connect(ctx, None, Silence::Fails)
            }
            (
                State::Connecting(Connecting {
                    silence: Silence::Fails,
                    ..
                })
                | State::Commanding(_),
                PortEvent::Lost,
            ) => fail(ctx, Error::PortLost),
            (_, PortEvent::Lost) => State::Closed,
            (state, PortEvent::NotFound) => state,
        }
    }

    pub(crate) fn deadline(&self, line: &Line) -> Option<Instant> {
        match self {
            State::Closed | State::Unanswered | State::Ready => None,
            State::Connecting(it) => Some(it.identify.deadline()),
            State::Commanding(it) => Some(it.deadline()),
            State::Returning(it) => Some(it.deadline()),
            State::Updating(it) => it.deadline(line),
        }
    }
}

fn fail(ctx: &mut Context<'_>, error: Error) -> State {
    let failure = Failure {
        error,
        phase: ctx.phase.unwrap_or(Phase::Connecting),
        unharmed: !*ctx.changed,
    };
    *ctx.changed = false;
    ctx.say(Event::Failed(failure));
    if !ctx.open {
        return State::Closed;
    }
    // What the board is now may be another thing than it was.
    *ctx.board = None;
    connect(ctx, None, Silence::IsExpected)
}

fn connect(ctx: &mut Context<'_>, command: Option<Command>, silence: Silence) -> State {
    ctx.enter(Phase::Connecting);
    State::Connecting(Connecting {
        identify: Identify::new(ctx.line, ctx.now, ctx.framing, Known::of_framing(ctx.framing)),
        command,
        silence,
    })
}

fn connecting(
    ctx: &mut Context<'_>,
    identity: Identity,
    command: Option<Command>,
    silence: Silence,
) -> State {
    match identity {
        Identity::Asking(identify) => State::Connecting(Connecting {
            identify,
            command,
            silence,
        }),
        Identity::Known(board) => {
            // A command's answer is said even where nothing changed.
            if command.is_some() {
                *ctx.board = None;
            }
            ctx.meet(board);
            if let Some(command) = command {
                ctx.say(Event::Done(command));
            }
            State::rest(ctx)
        }
        Identity::Nobody(error) => {
            if silence == Silence::Fails {
                ctx.say(Event::Failed(Failure {
                    error,
                    phase: Phase::Connecting,
                    unharmed: true,
                }));
            }
            *ctx.board = None;
            State::Unanswered
        }
    }
}

fn commanding(ctx: &mut Context<'_>, command: Command, commanded: Commanded) -> State {
    match commanded {
        Commanded::Waiting(it) => State::Commanding(it),
        Commanded::Told => {
            ctx.say(Event::Done(command));
            State::rest(ctx)
        }
        Commanded::Changed => connect(ctx, Some(command), Silence::Fails),
        Commanded::Restarts => restarts(ctx, command, None),
        Commanded::Failed(error) => fail(ctx, error),
    }
}

/// The board restarts because a command told it to.
fn restarts(ctx: &mut Context<'_>, command: Command, event: Option<PortEvent>) -> State {
    ctx.enter(Phase::Restarting);
    let Some(board) = ctx.board.as_deref() else {
        return fail(ctx, Error::NoBoard);
    };
    let wanted = Wanted::of(board, FindReason::Restart);
    let searching = Searching::after(ctx, event, command, wanted, None, RETURN_PATIENCE);
    State::Returning(Box::new(searching))
}

fn returning(ctx: &mut Context<'_>, sought: Sought<Command>) -> State {
    match sought {
        Sought::Searching(it) => State::Returning(Box::new(it)),
        Sought::Found(it, board) => {
            *ctx.board = None;
            ctx.meet(board);
            ctx.say(Event::Done(it.what));
            State::rest(ctx)
        }
        Sought::GivenUp { waited } => fail(ctx, Error::DidNotReturn { waited }),
    }
}

fn updating(ctx: &mut Context<'_>, updated: Updated) -> State {
    match updated {
        Updated::Going(it) => State::Updating(it),
        Updated::Ended(outcome) => {
            ctx.say(Event::Outcome(outcome));
            State::rest(ctx)
        }
        Updated::Failed(error) => fail(ctx, error),
    }
}
