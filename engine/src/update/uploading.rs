//! The image, or the patch, goes over the line.

use alloc::boxed::Box;

use bootlace_smp::bootlace::Features;
use bootlace_smp::frame::Framing;

use super::order::Order;
use crate::context::Context;
use crate::line::{Line, Packet};
use crate::upload::{Headway, Upload};
use crate::{Content, Error, Event, Exchange, Instant, NoPatch, Phase};

#[derive(Debug)]
pub(crate) struct Uploading {
    pub(super) order: Box<Order>,
    upload: Upload,
}

/// What a step of an upload leads to.
pub(super) enum Uploaded {
    /// On it goes.
    Going(Box<Uploading>),
    /// The board has everything.
    Complete(Box<Order>),
    Failed(Error),
}

impl Uploading {
    pub(super) fn begin(ctx: &mut Context<'_>, mut order: Box<Order>) -> Uploaded {
        ctx.enter(Phase::Uploading);
        let Some(board) = ctx.board.as_deref() else {
            return Uploaded::Failed(Error::NoBoard);
        };
        if order.patch.is_some() && !board.takes_patches() {
            order.patch = None;
            ctx.events.push_back(Event::WholeInstead(NoPatch::NotSupported));
        }
        match order.options.framing {
            Some(Framing::Cobs) if !board.features.has(Features::COBS) => {}
            Some(framing) => ctx.line.framing = framing,
            None => {}
        }
        let size = order.plan.size;
        let (content, sha, len) = match &order.patch {
            Some(patch) => {
                let len = u32::try_from(patch.bytes.len()).unwrap_or(u32::MAX);
                (Content::Patch, patch.sha, len)
            }
            None => (Content::Image, order.plan.sha, size),
        };
        let mut upload = Upload::new(ctx.now, content, sha, (len, size), board, ctx.port);
        upload.keeps_framing(order.options.framing.or(ctx.framing).is_some());
        // Its first piece erases what runs.
        *ctx.changed |= order.plan.exchange == Exchange::InPlace;
        Uploading { order, upload }.go_on(ctx)
    }

    /// The patch is of no use: the whole image is sent.
    pub(super) fn whole_instead(ctx: &mut Context<'_>, mut order: Box<Order>, reason: NoPatch) -> Uploaded {
        order.patch = None;
        ctx.say(Event::WholeInstead(reason));
        Uploading::begin(ctx, order)
    }

    fn go_on(mut self, ctx: &mut Context<'_>) -> Uploaded {
        if let Some(progress) = self.upload.report(ctx.now) {
            ctx.say(Event::Progress(progress));
        }
        let bytes = self.order.content(self.upload.content());
        match self.upload.fill(ctx.line, ctx.now, bytes) {
            Ok(()) => Uploaded::Going(Box::new(self)),
            Err(error) => self.failed(ctx, error),
        }
    }

    fn failed(self, ctx: &mut Context<'_>, error: Error) -> Uploaded {
        match (self.upload.content(), NoPatch::of(&error)) {
            (Content::Patch, Some(reason)) => Uploading::whole_instead(ctx, self.order, reason),
            _ => Uploaded::Failed(error),
        }
    }

    pub(super) fn handle_packet(mut self, ctx: &mut Context<'_>, packet: &Packet<'_>) -> Uploaded {
        let headway = self.upload.handle_packet(ctx.line, ctx.now, packet);
        match headway.unwrap_or(Ok(Headway::More)) {
            Err(Error::Mismatch) if self.upload.content() == Content::Image && self.order.mismatches == 0 => {
                self.order.mismatches = 1;
                Uploading::begin(ctx, self.order)
            }
            Err(error) => self.failed(ctx, error),
            Ok(Headway::More) => self.go_on(ctx),
            Ok(Headway::Resumed(offset)) => {
                ctx.say(Event::Resumed { offset });
                self.go_on(ctx)
            }
            Ok(Headway::Complete) => {
                if let Some(progress) = self.upload.report(ctx.now) {
                    ctx.say(Event::Progress(progress));
                }
                Uploaded::Complete(self.order)
            }
        }
    }

    pub(super) fn handle_timeout(mut self, ctx: &mut Context<'_>) -> Uploaded {
        match self.upload.handle_timeout(ctx.line, ctx.now) {
            Ok(()) => self.go_on(ctx),
            Err(error) => self.failed(ctx, error),
        }
    }

    pub(super) fn deadline(&self, line: &Line) -> Option<Instant> {
        self.upload.deadline(line)
    }
}
