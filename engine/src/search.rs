//! Finding the board again, and asking it how it is, over and over.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use bootlace_smp::Header;
use bootlace_smp::frame::Framing;

use crate::identify::{Identify, Identity, Known};
use crate::session::Context;
use crate::{BoardInfo, Event, FindReason, Instant, PortEvent};

/// Between questions to a board that is found.
const PAUSE: Duration = Duration::from_secs(1);
/// Before the driver is asked again to find the board.
const FIND_AGAIN: Duration = Duration::from_secs(1);
/// The same, where it said nothing so far.
const FIND_PATIENCE: Duration = Duration::from_secs(10);

/// Who is looked for.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) serial: Option<String>,
    /// Hashes of images of which the board has one: how a board without a serial number is known.
    pub(crate) hashes: Vec<Vec<u8>>,
    /// How it spoke before.
    pub(crate) known: Known,
}

#[derive(Debug)]
pub(crate) struct Search {
    wanted: Wanted,
    reason: FindReason,
    framing: Option<Framing>,
    ask: Ask,
    /// The open port is the board's, as far as is known.
    ours: bool,
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

/// What came of it.
pub(crate) enum Sought {
    /// Not there yet.
    Searching(Search),
    /// There it is. The search can go on: it asks again after a pause.
    Found(Search, Box<BoardInfo>),
}

impl Wanted {
    /// This board.
    pub(crate) fn of(board: &BoardInfo) -> Self {
        let mut hashes: Vec<_> = board.images.iter().map(|image| image.hash.clone()).collect();
        hashes.retain(|hash| !hash.is_empty());
        Wanted {
            serial: board.serial.clone(),
            hashes,
            known: Known::of(board),
        }
    }
}

impl Search {
    /// The port is open and the board's: ask after a pause.
    pub(crate) fn here(now: Instant, wanted: Wanted, reason: FindReason, framing: Option<Framing>) -> Self {
        Search {
            wanted,
            reason,
            framing,
            ask: Ask::Pause { until: now + PAUSE },
            ours: true,
        }
    }

    /// The port is gone.
    pub(crate) fn away(
        ctx: &mut Context<'_>,
        wanted: Wanted,
        reason: FindReason,
        framing: Option<Framing>,
    ) -> Self {
        let ask = Ask::Closed { again: ctx.now };
        let mut search = Search {
            wanted,
            reason,
            framing,
            ask,
            ours: false,
        };
        search.find(ctx);
        search
    }

    pub(crate) fn is_open(&self) -> bool {
        !matches!(self.ask, Ask::Closed { .. })
    }

    pub(crate) fn deadline(&self) -> Instant {
        match &self.ask {
            Ask::Closed { again } => *again,
            Ask::Pause { until } => *until,
            Ask::Asking(identify) => identify.deadline(),
        }
    }

    fn find(&mut self, ctx: &mut Context<'_>) {
        ctx.events.push_back(Event::FindBoard {
            serial: self.wanted.serial.clone(),
            reason: self.reason,
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

    pub(crate) fn handle_packet(self, ctx: &mut Context<'_>, header: &Header, payload: &[u8]) -> Sought {
        match self.ask {
            Ask::Asking(identify) => {
                let identity = identify.handle_packet(ctx.line, ctx.now, header, payload);
                Search {
                    ask: Ask::Pause { until: ctx.now },
                    ..self
                }
                .identified(ctx, identity)
            }
            ask => Sought::Searching(Search { ask, ..self }),
        }
    }

    pub(crate) fn handle_timeout(mut self, ctx: &mut Context<'_>) -> Sought {
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
                Search {
                    ask: Ask::Pause { until: ctx.now },
                    ..self
                }
                .identified(ctx, identity)
            }
        }
    }

    fn identified(mut self, ctx: &mut Context<'_>, identity: Identity) -> Sought {
        match identity {
            Identity::Asking(identify) => {
                self.ask = Ask::Asking(identify);
                Sought::Searching(self)
            }
            Identity::Known(info) if self.is_wanted(&info) => {
                self.ours = true;
                self.ask = Ask::Pause {
                    until: ctx.now + PAUSE,
                };
                Sought::Found(self, info)
            }
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
        ctx.events.push_back(Event::WrongBoard { found });
        self.ask = Ask::Closed {
            again: ctx.now + FIND_PATIENCE,
        };
        self.ours = false;
    }

    /// By serial number where both have one, by its images otherwise.
    fn is_wanted(&self, info: &BoardInfo) -> bool {
        if let (Some(wanted), Some(found)) = (&self.wanted.serial, &info.serial) {
            return wanted == found;
        }
        let mut hashes = info
            .images
            .iter()
            .map(|image| &image.hash)
            .filter(|hash| !hash.is_empty())
            .peekable();
        if self.wanted.serial.is_none() && (hashes.peek().is_none() || self.wanted.hashes.is_empty()) {
            return true;
        }
        hashes.any(|hash| self.wanted.hashes.contains(hash))
    }
}
