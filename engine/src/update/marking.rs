//! The board verifies the image and marks it for test.

use alloc::boxed::Box;
use core::time::Duration;

use bootlace_smp::{ErrorCode, Request, Response, img};

use super::order::Order;
use crate::context::Context;
use crate::line::{Call, Late, Packet};
use crate::{Asked, Code, Error, Event, Exchange, Instant, Phase, Route};

/// A board verifies the image before it marks it: some seconds on a slow chip.
const MARK_WAIT: Duration = Duration::from_secs(4);

#[derive(Debug)]
pub(crate) struct Marking {
    pub(super) order: Box<Order>,
    call: Call,
}

/// What a step of marking leads to.
pub(super) enum Marked {
    /// The answer is not there yet.
    Waiting(Marking),
    /// The board lists the image as pending, or says so.
    Pending(Box<Order>),
    /// What lay there looked like the image, and was not: it has to be sent after all.
    NotThere(Box<Order>),
    /// What the board made of the patch is not the image: the whole one has to be sent.
    WrongPatch(Box<Order>),
    /// The board can't mark images. What it was sent may lie where images run from already, as a serial recovery that was
    /// not recognised puts it there, or is started for being the newest: a restart shows which.
    Unmarkable(Box<Order>),
    Failed(Error),
}

impl Marking {
    pub(super) fn begin(ctx: &mut Context<'_>, order: Box<Order>) -> Self {
        ctx.enter(Phase::Verifying);
        let hash = match ctx.board.as_deref() {
            Some(board) => order.listed_hash(board),
            None => &order.plan.hash,
        };
        let request = img::Request::SetState {
            hash: Some(hash),
            confirm: false,
        };
        // From here on the board may start it, whether the answer arrives or not.
        *ctx.changed = true;
        let call = Call::new(ctx.line, ctx.now, &Request::Img(request), MARK_WAIT, 8);
        Marking { order, call }
    }

    pub(super) fn handle_packet(mut self, ctx: &mut Context<'_>, packet: &Packet<'_>) -> Marked {
        match self.call.answer(packet) {
            Some(Response::Img(img::Response::State(images))) => {
                if let Some(board) = ctx.board {
                    board.list(&images);
                    ctx.events.push_back(Event::Board(board.clone()));
                }
                let marked = ctx.board.as_ref().and_then(|board| board.other());
                if marked.is_some_and(|other| other.pending && self.order.may_be_target(other)) {
                    Marked::Pending(self.order)
                } else {
                    Marked::Failed(Error::NotPending)
                }
            }
            Some(Response::Failure(failure)) => {
                let code = Code::of(&failure);
                // A board that can't mark images may start the newest of those that it has.
                let starts_unmarked = code == Code::Generic(ErrorCode::NotSupported)
                    && ctx.board.as_deref().is_some_and(|board| !board.is_bootlace());
                *ctx.changed = starts_unmarked;
                match code {
                    // Zephyr, asked a second time.
                    Code::Image(img::ErrorCode::ImageAlreadyPending) => {
                        *ctx.changed = true;
                        Marked::Pending(self.order)
                    }
                    _ if self.order.plan.route == Route::Test => {
                        self.order.plan.route = Route::Upload;
                        Marked::NotThere(self.order)
                    }
                    _ if self.order.patch.is_some() => Marked::WrongPatch(self.order),
                    _ if starts_unmarked => {
                        self.order.plan.exchange = Exchange::InPlace;
                        Marked::Unmarkable(self.order)
                    }
                    _ => Marked::Failed(Error::refused(Asked::Test, &failure)),
                }
            }
            _ => Marked::Waiting(self),
        }
    }

    pub(super) fn handle_timeout(mut self, ctx: &mut Context<'_>) -> Marked {
        match self.call.late(ctx.line, ctx.now) {
            Late::Waiting => Marked::Waiting(self),
            Late::GivenUp => Marked::Failed(ctx.line.given_up(Asked::Test)),
        }
    }

    pub(super) fn deadline(&self) -> Instant {
        self.call.deadline()
    }
}
