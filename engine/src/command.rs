//! Single commands outside of an update.

use core::time::Duration;

use bootlace_smp::{Request, Response, bootlace, img, os};

use crate::context::Context;
use crate::line::{Call, Late, Packet};
use crate::{Asked, BoardInfo, Command, Error, Instant};

/// An erase of a whole slot answers when it is done: 22 s for 1 MB at 85 ms for 4 KB, more on a slow external flash. Asked
/// again too early, the board erases twice.
const ERASE_WAIT: Duration = Duration::from_secs(60);
const COMMAND_WAIT: Duration = Duration::from_secs(2);

/// A command is on its way.
#[derive(Debug)]
pub(crate) struct Commanding {
    command: Command,
    call: Call,
}

/// What a step of a command leads to.
pub(crate) enum Commanded {
    /// The answer is not there yet.
    Waiting(Commanding),
    /// It is done, and the board told what was asked.
    Told,
    /// It is done, and the board may be another thing than it was.
    Changed,
    /// The board restarts.
    Restarts,
    Failed(Error),
}

impl Commanding {
    /// Sends a command; [`Command::Refresh`] is a conversation, not a command, and asks for the list of images here.
    pub(crate) fn begin(ctx: &mut Context<'_>, command: Command) -> Self {
        // A board refuses the hash of no image.
        let other = ctx.board.as_deref().and_then(BoardInfo::other);
        let other = other.map(|image| image.hash.clone()).unwrap_or_default();
        let (request, wait) = match command {
            Command::Test => (
                Request::Img(img::Request::SetState {
                    hash: Some(&other),
                    confirm: false,
                }),
                COMMAND_WAIT,
            ),
            Command::Confirm => (
                Request::Img(img::Request::SetState {
                    hash: None,
                    confirm: true,
                }),
                COMMAND_WAIT,
            ),
            Command::Erase => (Request::Img(img::Request::Erase { slot: Some(1) }), ERASE_WAIT),
            Command::Reset { bootloader } => {
                let boot_mode = bootloader.then_some(os::BOOT_MODE_BOOTLOADER);
                (
                    Request::Os(os::Request::Reset {
                        force: false,
                        boot_mode,
                    }),
                    COMMAND_WAIT,
                )
            }
            Command::Journal => (Request::Bootlace(bootlace::Request::Journal), COMMAND_WAIT),
            Command::Refresh => (Request::Img(img::Request::State), COMMAND_WAIT),
        };
        let call = Call::new(ctx.line, ctx.now, &request, wait, 4);
        Commanding { command, call }
    }

    pub(crate) fn command(&self) -> Command {
        self.command
    }

    fn asked(&self) -> Asked {
        match self.command {
            Command::Test => Asked::Test,
            Command::Confirm => Asked::Confirm,
            Command::Erase => Asked::Erase,
            Command::Reset { .. } => Asked::Reset,
            Command::Journal => Asked::Journal,
            Command::Refresh => Asked::State,
        }
    }

    pub(crate) fn handle_packet(self, ctx: &mut Context<'_>, packet: &Packet<'_>) -> Commanded {
        match self.call.answer(packet) {
            None => Commanded::Waiting(self),
            Some(Response::Failure(failure)) => Commanded::Failed(Error::refused(self.asked(), &failure)),
            Some(Response::Bootlace(bootlace::Response::Journal(entries))) => {
                if let Some(mut board) = ctx.board.clone() {
                    board.journal = Some(entries.iter().collect());
                    ctx.meet(board);
                }
                Commanded::Told
            }
            Some(_) if self.is_reset() => Commanded::Restarts,
            Some(_) => Commanded::Changed,
        }
    }

    pub(crate) fn handle_timeout(mut self, ctx: &mut Context<'_>) -> Commanded {
        match self.call.late(ctx.line, ctx.now) {
            Late::Waiting => Commanded::Waiting(self),
            // It may have restarted without saying so.
            Late::GivenUp if self.is_reset() => Commanded::Restarts,
            Late::GivenUp => Commanded::Failed(ctx.line.given_up(self.asked())),
        }
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.call.deadline()
    }

    pub(crate) fn is_reset(&self) -> bool {
        matches!(self.command, Command::Reset { .. })
    }
}
