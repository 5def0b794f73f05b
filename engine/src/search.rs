//! Finding a board again, and asking it how it is, over and over.

use alloc::boxed::Box;
use alloc::string::String;
use core::time::Duration;

use bootlace_smp::frame::Framing;

use crate::context::Context;
use crate::identify::{Identify, Identity};
use crate::line::Packet;
use crate::{BoardInfo, Event, Instant, Match, PortEvent, Wanted};

/// Between two questions to a board that is found.
const PAUSE: Duration = Duration::from_secs(1);
/// Before the driver is asked again to find a board that it did not find.
const FIND_AGAIN: Duration = Duration::from_secs(1);
/// The same, where the driver said nothing so far.
const FIND_PATIENCE: Duration = Duration::from_secs(10);

/// A board is looked for, because of `what`.
#[derive(Debug)]
pub(crate) struct Searching<T> {
    pub(crate) what: T,
    wanted: Wanted,
    framing: Option<Framing>,
    ask: Ask,
    /// The open port is the board's, as far as is known.
    ours: bool,
    /// When the board last said something.
    heard: Instant,
    /// How long it may be silent.
    patience: Duration,
}

#[derive(Debug)]
enum Ask {
    /// No port is open.
    Closed {
        again: Instant,
    },
    Pause {
        until: Instant,
    },
    Asking(Identify),
}

/// What a step of a search leads to.
pub(crate) enum Sought<T> {
    /// Not there yet.
    Searching(Searching<T>),
    /// There it is. The search can go on: it asks again after a pause.
    Found(Searching<T>, Box<BoardInfo>),
    /// It said nothing for so long.
    GivenUp { waited: Duration },
}

impl<T> Searching<T> {
    /// The port is open and the board's: ask after a pause.
    pub(crate) fn here(
        now: Instant,
        what: T,
        wanted: Wanted,
        framing: Option<Framing>,
        patience: Duration,
    ) -> Self {
        Searching {
            what,
            wanted,
            framing,
            ask: Ask::Pause { until: now + PAUSE },
            ours: true,
            heard: now,
            patience,
        }
    }

    /// The same after something happened to the port.
    pub(crate) fn after(
        ctx: &mut Context<'_>,
        event: Option<PortEvent>,
        what: T,
        wanted: Wanted,
        framing: Option<Framing>,
        patience: Duration,
    ) -> Self {
        let searching = Searching::here(ctx.now, what, wanted, framing, patience);
        match event {
            Some(event) => searching.handle_port(ctx, event),
            None => searching,
        }
    }

    /// The board that has to be found; `None` while a port is open.
    pub(crate) fn waits_for(&self) -> Option<&Wanted> {
        (!self.is_open()).then_some(&self.wanted)
    }

    pub(crate) fn is_open(&self) -> bool {
        !matches!(self.ask, Ask::Closed { .. })
    }

    pub(crate) fn heard(&self) -> Instant {
        self.heard
    }

    /// The board said something, to somebody else.
    pub(crate) fn hear(&mut self, now: Instant) {
        self.heard = now;
    }

    pub(crate) fn deadline(&self) -> Instant {
        let next = match &self.ask {
            Ask::Closed { again } => *again,
            Ask::Pause { until } => *until,
            Ask::Asking(identify) => identify.deadline(),
        };
        next.min(self.heard + self.patience)
    }

    /// Has the board been silent for longer than it may?
    pub(crate) fn given_up(&self, now: Instant) -> Option<Duration> {
        let waited = now.since(self.heard);
        (waited >= self.patience).then_some(waited)
    }

    fn find(&mut self, ctx: &mut Context<'_>) {
        ctx.say(Event::FindBoard {
            wanted: self.wanted.clone(),
        });
        self.ask = Ask::Closed {
            again: ctx.now + FIND_PATIENCE,
        };
        self.ours = false;
    }

    pub(crate) fn handle_port(mut self, ctx: &mut Context<'_>, event: PortEvent) -> Self {
        match event {
            PortEvent::Opened(_) => {
                self.ask = Ask::Asking(Identify::new(ctx.line, ctx.now, self.framing, self.wanted.known));
                self.ours = false;
            }
            // The driver closed one that was not the board's.
            PortEvent::Lost if !self.is_open() => {}
            PortEvent::Lost => self.find(ctx),
            PortEvent::NotFound if self.is_open() => {}
            PortEvent::NotFound => {
                self.ask = Ask::Closed {
                    again: ctx.now + FIND_AGAIN,
                }
            }
        }
        self
    }

    /// The board was found and asked by somebody else, and its port is open.
    pub(crate) fn adopt(mut self, now: Instant, board: Box<BoardInfo>) -> Sought<T> {
        (self.heard, self.ours) = (now, true);
        self.ask = Ask::Pause { until: now + PAUSE };
        Sought::Found(self, board)
    }

    pub(crate) fn handle_packet(mut self, ctx: &mut Context<'_>, packet: &Packet<'_>) -> Sought<T> {
        match self.ask {
            Ask::Asking(identify) => {
                let identity = identify.handle_packet(ctx.line, ctx.now, packet);
                self.ask = Ask::Pause { until: ctx.now };
                self.identified(ctx, identity)
            }
            ask => {
                self.ask = ask;
                Sought::Searching(self)
            }
        }
    }

    pub(crate) fn handle_timeout(mut self, ctx: &mut Context<'_>) -> Sought<T> {
        if let Some(waited) = self.given_up(ctx.now) {
            return Sought::GivenUp { waited };
        }
        match self.ask {
            Ask::Closed { again } => {
                if ctx.now >= again {
                    self.find(ctx);
                }
                Sought::Searching(self)
            }
            Ask::Pause { until } => {
                if ctx.now >= until {
                    self.ask = Ask::Asking(Identify::new(ctx.line, ctx.now, self.framing, self.wanted.known));
                }
                Sought::Searching(self)
            }
            Ask::Asking(identify) => {
                let identity = identify.handle_timeout(ctx.line, ctx.now);
                self.ask = Ask::Pause { until: ctx.now };
                self.identified(ctx, identity)
            }
        }
    }

    fn identified(mut self, ctx: &mut Context<'_>, identity: Identity) -> Sought<T> {
        match identity {
            Identity::Asking(identify) => {
                self.ask = Ask::Asking(identify);
                Sought::Searching(self)
            }
            Identity::Known(info) if self.wanted.matches(&info) != Match::No => self.adopt(ctx.now, info),
            Identity::Known(info) => {
                self.wrong(ctx, info.serial);
                Sought::Searching(self)
            }
            // It restarts, or its application does not serve SMP; the port itself never went away.
            Identity::Nobody(_) if self.ours => {
                self.ask = Ask::Pause {
                    until: ctx.now + PAUSE,
                };
                Sought::Searching(self)
            }
            Identity::Nobody(_) => {
                self.wrong(ctx, None);
                Sought::Searching(self)
            }
        }
    }

    fn wrong(&mut self, ctx: &mut Context<'_>, found: Option<String>) {
        ctx.say(Event::WrongBoard { found });
        self.ask = Ask::Closed {
            again: ctx.now + FIND_PATIENCE,
        };
        self.ours = false;
    }
}
