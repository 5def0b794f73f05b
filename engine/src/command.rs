//! Single commands outside of an update.

use core::time::Duration;

use bootlace_smp::{Header, Request, Response, bootlace, decode_response, img, os};

use crate::line::{Call, Late};
use crate::search::{Search, Sought, Wanted};
use crate::session::{Context, Quiet, State};
use crate::{Asked, Code, Command, Error, Event, FindReason, Instant, Phase, PortEvent};

/// An erase of a whole slot answers when it is done.
const ERASE_WAIT: Duration = Duration::from_secs(20);
const WAIT: Duration = Duration::from_secs(2);
/// How long a board may take to come back from a restart that was a command.
const ABSENCE: Duration = Duration::from_secs(120);

/// A command is on its way.
#[derive(Debug)]
pub(crate) struct Commanding {
    command: Command,
    call: Call,
}

impl Commanding {
    pub(crate) fn begin(ctx: &mut Context<'_>, command: Command) -> State {
        let (request, wait) = match command {
            Command::Confirm => (
                Request::Img(img::Request::SetState {
                    hash: None,
                    confirm: true,
                }),
                WAIT,
            ),
            Command::Erase => (Request::Img(img::Request::Erase { slot: Some(1) }), ERASE_WAIT),
            Command::Reset { bootloader } => {
                let boot_mode = bootloader.then_some(os::BOOT_MODE_BOOTLOADER);
                (
                    Request::Os(os::Request::Reset {
                        force: false,
                        boot_mode,
                    }),
                    WAIT,
                )
            }
            Command::Journal => (Request::Bootlace(bootlace::Request::Journal), WAIT),
            Command::Refresh => return ctx.connect(Some(command), Quiet::No),
        };
        let call = Call::new(ctx.line, ctx.now, &request, wait, 4);
        State::Commanding(Commanding { command, call })
    }

    fn asked(&self) -> Asked {
        match self.command {
            Command::Confirm => Asked::Confirm,
            Command::Erase => Asked::Erase,
            Command::Reset { .. } => Asked::Reset,
            Command::Journal => Asked::Journal,
            Command::Refresh => Asked::Describe,
        }
    }

    pub(crate) fn handle_packet(self, ctx: &mut Context<'_>, header: &Header, payload: &[u8]) -> State {
        if !self.call.is_answered_by(header) {
            return State::Commanding(self);
        }
        match decode_response(header, payload) {
            Ok(Response::Failure(failure)) => {
                let reason = failure.reason.map(Into::into);
                ctx.fail(Error::BoardRefused {
                    asked: self.asked(),
                    code: Code::of(&failure),
                    reason,
                })
            }
            Ok(Response::Bootlace(bootlace::Response::Journal(updates))) => {
                if let Some(mut board) = ctx.board.clone() {
                    board.journal = Some(updates.iter().collect());
                    ctx.meet(board);
                }
                ctx.say(Event::Done(self.command));
                ctx.rest()
            }
            Ok(_) => match self.command {
                Command::Reset { .. } => Returning::begin(ctx, self.command),
                command => ctx.connect(Some(command), Quiet::No),
            },
            Err(_) => State::Commanding(self),
        }
    }

    pub(crate) fn handle_timeout(mut self, ctx: &mut Context<'_>) -> State {
        match (self.call.late(ctx.line, ctx.now), self.command) {
            (Late::Waiting, _) => State::Commanding(self),
            // It may have restarted without saying so.
            (Late::GivenUp, Command::Reset { .. }) => Returning::begin(ctx, self.command),
            (Late::GivenUp, _) => ctx.fail(Error::WentSilent { asked: self.asked() }),
        }
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.call.deadline()
    }

    pub(crate) fn is_reset(&self) -> bool {
        matches!(self.command, Command::Reset { .. })
    }

    /// The port went away before the answer came: that is what a restart does.
    pub(crate) fn lost(self, ctx: &mut Context<'_>) -> State {
        match Returning::begin(ctx, self.command) {
            State::Returning(it) => State::Returning(it.handle_port(ctx, PortEvent::Lost)),
            state => state,
        }
    }
}

/// A board that was told to restart comes back.
#[derive(Debug)]
pub(crate) struct Returning {
    command: Command,
    search: Search,
    since: Instant,
}

impl Returning {
    fn begin(ctx: &mut Context<'_>, command: Command) -> State {
        ctx.enter(Phase::Restarting);
        let Some(wanted) = ctx.board.as_deref().map(Wanted::of) else {
            return ctx.fail(Error::NoBoard);
        };
        let search = Search::here(ctx.now, wanted, FindReason::Restart, None);
        State::Returning(Returning {
            command,
            search,
            since: ctx.now,
        })
    }

    pub(crate) fn handle_packet(self, ctx: &mut Context<'_>, header: &Header, payload: &[u8]) -> State {
        let (command, since) = (self.command, self.since);
        go_on(ctx, command, since, |ctx| {
            self.search.handle_packet(ctx, header, payload)
        })
    }

    pub(crate) fn handle_timeout(self, ctx: &mut Context<'_>) -> State {
        let waited = ctx.now.since(self.since);
        if waited >= ABSENCE {
            return ctx.fail(Error::DidNotReturn { waited });
        }
        let (command, since) = (self.command, self.since);
        go_on(ctx, command, since, |ctx| self.search.handle_timeout(ctx))
    }

    pub(crate) fn handle_port(self, ctx: &mut Context<'_>, event: PortEvent) -> Self {
        Returning {
            search: self.search.handle_port(ctx, event),
            ..self
        }
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.search.deadline().min(self.since + ABSENCE)
    }
}

fn go_on(
    ctx: &mut Context<'_>,
    command: Command,
    since: Instant,
    step: impl FnOnce(&mut Context<'_>) -> Sought,
) -> State {
    match step(ctx) {
        Sought::Searching(search) => State::Returning(Returning {
            command,
            search,
            since,
        }),
        Sought::Found(_, board) => {
            *ctx.board = None;
            ctx.meet(board);
            ctx.say(Event::Done(command));
            ctx.rest()
        }
    }
}
