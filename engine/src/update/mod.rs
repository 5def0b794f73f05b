//! The states of an update, from the first piece to the last word, and what follows what.
//!
//! How long each state waits stands in its own file: `restarting` for the answer to the reset, `watching` for the board to come
//! back. When an update is given up is the caller's to say ([`Options::absence`](crate::Options)).

use alloc::boxed::Box;
use core::time::Duration;

use crate::context::Context;
use crate::line::{Line, Packet};
use crate::search::{Searching, Sought};
use crate::{
    Attention, BoardInfo, Error, Event, Exchange, FindReason, Instant, NoPatch, Outcome, Plan, PortEvent,
    Restart, Route, Unchanged, Wanted, Witness,
};

mod marking;
mod order;
mod restarting;
mod uploading;
mod watching;

use marking::{Marked, Marking};
pub(crate) use order::Order;
use restarting::{Restarted, Restarting};
use uploading::{Uploaded, Uploading};
use watching::{Watched, Watching};

/// Where an update is. What a state does not need it does not have.
#[derive(Debug)]
pub(crate) enum Updating {
    Uploading(Box<Uploading>),
    /// The port is gone, before the restart.
    Away(Box<Searching<Box<Order>>>),
    Marking(Box<Marking>),
    /// Marked, and it may not restart yet.
    Held(Box<Order>),
    Restarting(Box<Restarting>),
    Watching(Box<Watching>),
}

/// What a step of an update leads to.
pub(crate) enum Updated {
    /// On it goes.
    Going(Updating),
    Ended(Outcome),
    Failed(Error),
}

impl Updating {
    /// Enters the state that the plan's route begins with.
    pub(crate) fn begin(ctx: &mut Context<'_>, order: Box<Order>) -> Updated {
        match order.plan.route {
            Route::Upload => {
                let uploaded = Uploading::begin(ctx, order);
                uploaded_as(ctx, uploaded)
            }
            Route::Test => mark(ctx, order),
            Route::Restart => restart(ctx, order),
            Route::Watch => {
                let watched = Watching::join(ctx, order);
                watched_as(ctx, watched)
            }
            Route::Nothing => {
                let version = order.plan.from.clone();
                Updated::Ended(Outcome::Unchanged {
                    reason: Unchanged::AlreadyRuns,
                    version,
                })
            }
        }
    }

    /// Whether nothing is marked yet.
    pub(crate) fn can_be_cancelled(&self) -> bool {
        matches!(self, Updating::Uploading(_) | Updating::Away(_))
    }

    /// The board that has to be found; `None` while a port is open.
    pub(crate) fn waits_for(&self) -> Option<&Wanted> {
        match self {
            Updating::Away(search) => search.waits_for(),
            Updating::Watching(watching) => watching.waits_for(),
            _ => None,
        }
    }

    /// It may restart now.
    pub(crate) fn allow_restart(self, ctx: &mut Context<'_>) -> Self {
        match self {
            Updating::Held(order) => Updating::Restarting(Box::new(Restarting::begin(ctx, order, 0))),
            state => state,
        }
    }

    pub(crate) fn handle_packet(self, ctx: &mut Context<'_>, packet: &Packet<'_>) -> Updated {
        match self {
            Updating::Uploading(it) => {
                let uploaded = it.handle_packet(ctx, packet);
                uploaded_as(ctx, uploaded)
            }
            Updating::Away(it) => {
                let sought = it.handle_packet(ctx, packet);
                sought_as(ctx, sought)
            }
            Updating::Marking(it) => {
                let marked = it.handle_packet(ctx, packet);
                marked_as(ctx, marked)
            }
            Updating::Held(order) => Updated::Going(Updating::Held(order)),
            Updating::Restarting(it) => {
                let restarted = it.handle_packet(ctx, packet);
                restarted_as(ctx, restarted)
            }
            Updating::Watching(it) => {
                let watched = it.handle_packet(ctx, packet);
                watched_as(ctx, watched)
            }
        }
    }

    pub(crate) fn handle_timeout(self, ctx: &mut Context<'_>) -> Updated {
        match self {
            Updating::Uploading(it) => {
                let uploaded = it.handle_timeout(ctx);
                uploaded_as(ctx, uploaded)
            }
            Updating::Away(it) => {
                let sought = it.handle_timeout(ctx);
                sought_as(ctx, sought)
            }
            Updating::Marking(it) => {
                let marked = it.handle_timeout(ctx);
                marked_as(ctx, marked)
            }
            Updating::Held(order) => Updated::Going(Updating::Held(order)),
            Updating::Restarting(it) => {
                let restarted = it.handle_timeout(ctx);
                restarted_as(ctx, restarted)
            }
            Updating::Watching(it) => {
                let watched = it.handle_timeout(ctx);
                watched_as(ctx, watched)
            }
        }
    }

    pub(crate) fn handle_port(self, ctx: &mut Context<'_>, event: PortEvent) -> Self {
        match (self, event) {
            (Updating::Away(it), event) => Updating::Away(Box::new(it.handle_port(ctx, event))),
            (Updating::Watching(it), event) => Updating::Watching(Box::new(it.handle_port(ctx, event))),
            (state, PortEvent::NotFound) => state,
            (Updating::Uploading(it), event) => interrupted(ctx, it.order, event),
            (Updating::Marking(it), event) => interrupted(ctx, it.order, event),
            // It restarts by itself, or somebody restarted it.
            (Updating::Held(order), event) => {
                Updating::Watching(Box::new(Watching::begin(ctx, order, 1, Some(event))))
            }
            (Updating::Restarting(it), event) => {
                let (order, times) = it.told();
                Updating::Watching(Box::new(Watching::begin(ctx, order, times, Some(event))))
            }
        }
    }

    /// The board was found and asked by somebody else, and its port is open.
    pub(crate) fn adopt(self, ctx: &mut Context<'_>, board: Box<BoardInfo>) -> Updated {
        match self {
            Updating::Away(it) => {
                let sought = it.adopt(ctx.now, board);
                sought_as(ctx, sought)
            }
            Updating::Watching(it) => {
                let watched = it.adopt(ctx, board);
                watched_as(ctx, watched)
            }
            state => Updated::Going(state),
        }
    }

    pub(crate) fn deadline(&self, line: &Line) -> Option<Instant> {
        match self {
            Updating::Uploading(it) => it.deadline(line),
            Updating::Away(it) => Some(it.deadline()),
            Updating::Marking(it) => Some(it.deadline()),
            Updating::Held(_) => None,
            Updating::Restarting(it) => Some(it.deadline()),
            Updating::Watching(it) => Some(it.deadline()),
        }
    }
}

fn mark(ctx: &mut Context<'_>, order: Box<Order>) -> Updated {
    Updated::Going(Updating::Marking(Box::new(Marking::begin(ctx, order))))
}

/// The image is marked: the board restarts, as soon as it may.
fn restart(ctx: &mut Context<'_>, order: Box<Order>) -> Updated {
    *ctx.changed = true;
    Updated::Going(match order.options.restart {
        Restart::AtOnce => Updating::Restarting(Box::new(Restarting::begin(ctx, order, 0))),
        Restart::WhenAllowed => {
            ctx.say(Event::WantsRestart);
            Updating::Held(order)
        }
    })
}

/// The port went away, or was opened again, before the restart.
fn interrupted(ctx: &mut Context<'_>, order: Box<Order>, event: PortEvent) -> Updating {
    if event == PortEvent::Lost {
        ctx.say(Event::Attention(Attention::Unplugged));
    }
    let (wanted, framing) = (order.wanted(FindReason::Unplugged), order.options.framing);
    let absence: Duration = order.options.absence;
    Updating::Away(Box::new(Searching::after(
        ctx,
        Some(event),
        order,
        wanted,
        framing,
        absence,
    )))
}

/// Goes on after an interruption: the board says what is left to do.
fn resume(ctx: &mut Context<'_>, mut order: Box<Order>, board: Box<BoardInfo>) -> Updated {
    let plan = Plan::new(&order.image, &order.options, &board);
    ctx.meet(board);
    match plan {
        Ok(plan) => {
            // The version before the interruption is what the update comes from.
            let from = order.plan.from.take().or(plan.from);
            order.plan = Plan { from, ..plan };
            // What it runs may be the new image already, and confirmed.
            if order.plan.route == Route::Nothing {
                let (version, took) = (order.plan.to, ctx.now.since(order.started));
                let by = Witness::Itself;
                return Updated::Ended(Outcome::Confirmed { version, took, by });
            }
            Updating::begin(ctx, order)
        }
        Err(error) => Updated::Failed(error),
    }
}

fn sought_as(ctx: &mut Context<'_>, sought: Sought<Box<Order>>) -> Updated {
    match sought {
        Sought::Searching(it) => Updated::Going(Updating::Away(Box::new(it))),
        Sought::Found(it, board) => resume(ctx, it.what, board),
        Sought::GivenUp { waited } => Updated::Failed(Error::DidNotReturn { waited }),
    }
}

fn uploaded_as(ctx: &mut Context<'_>, uploaded: Uploaded) -> Updated {
    match uploaded {
        Uploaded::Going(it) => Updated::Going(Updating::Uploading(it)),
        // What lies there already is not marked: a restart starts it.
        Uploaded::Complete(order) if order.plan.exchange == Exchange::InPlace => restart(ctx, order),
        Uploaded::Complete(order) => mark(ctx, order),
        Uploaded::Failed(error) => Updated::Failed(error),
    }
}

fn marked_as(ctx: &mut Context<'_>, marked: Marked) -> Updated {
    let uploaded = match marked {
        Marked::Waiting(it) => return Updated::Going(Updating::Marking(Box::new(it))),
        Marked::Pending(order) | Marked::Unmarkable(order) => return restart(ctx, order),
        Marked::Failed(error) => return Updated::Failed(error),
        Marked::NotThere(order) => Uploading::begin(ctx, order),
        Marked::WrongPatch(order) => Uploading::whole_instead(ctx, order, NoPatch::WrongImage),
    };
    uploaded_as(ctx, uploaded)
}

fn restarted_as(ctx: &mut Context<'_>, restarted: Restarted) -> Updated {
    match restarted {
        Restarted::Waiting(it) => Updated::Going(Updating::Restarting(Box::new(it))),
        Restarted::Restarts(order, times) => Updated::Going(Updating::Watching(Box::new(Watching::begin(
            ctx, order, times, None,
        )))),
        Restarted::Failed(error) => Updated::Failed(error),
    }
}

fn watched_as(ctx: &mut Context<'_>, watched: Watched) -> Updated {
    match watched {
        Watched::Waiting(it) => Updated::Going(Updating::Watching(it)),
        Watched::Restart(order, times) => Updated::Going(Updating::Restarting(Box::new(Restarting::begin(
            ctx, order, times,
        )))),
        Watched::Ended(outcome) => Updated::Ended(outcome),
        Watched::Failed(error) => Updated::Failed(error),
    }
}
