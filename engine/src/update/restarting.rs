//! The board is told to restart.

use alloc::boxed::Box;
use core::time::Duration;

use bootlace_smp::{Request, Response, os};

use super::order::Order;
use crate::context::Context;
use crate::line::{Call, Late, Packet};
use crate::{Asked, Error, Instant, Phase};

const RESET_WAIT: Duration = Duration::from_millis(1500);

#[derive(Debug)]
pub(crate) struct Restarting {
    pub(super) order: Box<Order>,
    call: Call,
    /// How often it was told before.
    before: u32,
}

/// What a step of restarting leads to.
pub(super) enum Restarted {
    /// The answer is not there yet.
    Waiting(Restarting),
    /// The board restarts, or may have done so; it was told this often.
    Restarts(Box<Order>, u32),
    Failed(Error),
}

impl Restarting {
    /// Tells the board to restart, which it was told `before` so many times: from the second time on with force, if
    /// something on the board is in its way.
    pub(super) fn begin(ctx: &mut Context<'_>, order: Box<Order>, before: u32) -> Self {
        ctx.enter(Phase::Restarting);
        let request = Request::Os(os::Request::Reset {
            force: before > 0,
            boot_mode: None,
        });
        let call = Call::new(ctx.line, ctx.now, &request, RESET_WAIT, 3);
        Restarting { order, call, before }
    }

    pub(super) fn handle_packet(self, ctx: &mut Context<'_>, packet: &Packet<'_>) -> Restarted {
        match self.call.answer(packet) {
            Some(Response::Os(os::Response::Reset)) => Restarted::Restarts(self.order, self.before + 1),
            Some(Response::Failure(failure)) if self.before > 0 => {
                Restarted::Failed(Error::refused(Asked::Reset, &failure))
            }
            Some(Response::Failure(_)) => Restarted::Waiting(Restarting::begin(ctx, self.order, 1)),
            _ => Restarted::Waiting(self),
        }
    }

    pub(super) fn handle_timeout(mut self, ctx: &mut Context<'_>) -> Restarted {
        match self.call.late(ctx.line, ctx.now) {
            Late::Waiting => Restarted::Waiting(self),
            // Some restart before their answer is out. Whether it did is seen when it is asked.
            Late::GivenUp => Restarted::Restarts(self.order, self.before + 1),
        }
    }

    /// The order, and how often the board was told.
    pub(super) fn told(self) -> (Box<Order>, u32) {
        (self.order, self.before + 1)
    }

    pub(super) fn deadline(&self) -> Instant {
        self.call.deadline()
    }
}
