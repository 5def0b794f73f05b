//! The loop around whoever owns the board: move bytes, feed the watchdog, poll. Bootloader and application use the same.

use core::ops::Range;

use bootlace_core::flash::Flash;
use bootlace_core::link::Link;
use bootlace_core::{Applier, Next, Owner};
use bootlace_smp::bootlace::Supply;

use crate::retained::Left;

/// Bytes that a line hands over at once, at most: a packet of USB at full speed.
pub const PIECE: usize = 64;

/// Where the conversation over a line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conversation {
    /// Nothing is half received, waits for its answer or is being answered: a line of several ports may listen to another.
    Paused,
    /// A packet is under way.
    UnderWay,
}

/// A serial line, or what carries the same bytes. No call waits.
pub trait Line {
    /// Moves bytes that arrived into `bytes` and says how many.
    fn read(&mut self, bytes: &mut [u8; PIECE], conversation: Conversation) -> usize;

    /// Takes bytes to be sent and says how many: at most [`PIECE`] of them, none while there is no room.
    fn write(&mut self, bytes: &[u8]) -> usize;

    /// A reply is complete: a line that sends in packets ends it here.
    fn flush(&mut self) {}

    /// Everything has left.
    fn is_drained(&self) -> bool;

    /// Bytes have come from a host at another port of this line, which is not read from before the conversation pauses.
    fn is_awaited(&self) -> bool {
        false
    }

    /// The host asked for the bootloader by other means than SMP.
    fn wants_bootloader(&self) -> bool {
        false
    }
}

/// A clock.
pub trait Clock {
    /// Milliseconds since some time; they never run backwards.
    fn now(&mut self) -> u64;

    /// Called when there is nothing to do until a byte arrives or leaves, or until that time: may sleep.
    fn rest(&mut self, until: Option<u64>) {
        let _ = until;
    }
}

/// A watchdog. It may be one that an application has started and that a reset does not stop.
pub trait Watchdog {
    /// All is well. Called between polls: through the boot decision, swaps, checks and serving, at least once for each
    /// erased page and for each million instructions.
    fn feed(&mut self);
}

/// What is to be measured of the board: its supply, and whether somebody is present.
pub trait Gauge {
    /// The supply now; below its limit no update begins.
    fn supply(&mut self) -> Option<Supply>;

    /// Whether somebody is present now, for requests that a product grants only then.
    fn is_somebody_present(&mut self) -> bool {
        false
    }
}

/// A board that measures nothing.
impl Gauge for () {
    fn supply(&mut self) -> Option<Supply> {
        None
    }
}

/// The parts of a board that the loop needs.
#[derive(Debug)]
pub struct Parts<O, C, W, G> {
    /// Opens the line. A line that is never opened is as an application expects it.
    pub open: O,
    /// The clock.
    pub clock: C,
    /// The watchdog.
    pub watchdog: W,
    /// The gauge, or `()`.
    pub gauge: G,
}

/// How the loop ends.
#[derive(Clone, Copy, Debug)]
pub enum Exit {
    /// Start the image with this vector table.
    Boot(u32),
    /// Reset, leaving this word.
    Reset(Left),
}

/// Milliseconds that the last bytes of the line have to leave before a reset.
const MILLIS_TO_DRAIN: u64 = 100;
/// Milliseconds that a host has to take the next bytes of a reply. One that is gone would keep the line busy for ever.
const MILLIS_TO_TAKE: u64 = 2000;
/// The same while another host waits at another port of the line.
const MILLIS_TO_TAKE_WHILE_AWAITED: u64 = 300;
/// Milliseconds that a host may pause in the middle of a packet while another one waits at another port of the line.
const MILLIS_TO_PAUSE: u64 = 100;
/// How often a line is asked for bytes between two polls, at most.
const READS_PER_TURN: usize = 32;

/// Serves until an image is to be started or the chip is to be reset. With feature `delta` patches are taken, in 8 KB of
/// stack that are given back while an image is checked.
pub fn serve<W: Owner, F: Flash, L: Line, C: Clock, D: Watchdog, G: Gauge>(
    owner: &mut W,
    flash: &mut F,
    link: &mut Link<&mut [u8]>,
    parts: Parts<impl FnMut() -> L, C, D, G>,
) -> Exit {
    let mut turns = Turns {
        owner,
        flash,
        link,
        parts,
        port: None,
    };
    loop {
        let next = if turns.owner.is_checking() {
            turns.until_changed(None)
        } else {
            turns.with_patches()
        };
        match next {
            Next::Boot { vectors, .. } => return Exit::Boot(vectors),
            Next::Reset { bootloader, gave_up } => {
                turns.drain();
                return Exit::Reset(Left {
                    requested: bootloader,
                    gave_up,
                });
            }
            Next::Again | Next::Idle { .. } => {}
        }
    }
}

struct Turns<'t, 'm, W, F, O, L, C, D, G> {
    owner: &'t mut W,
    flash: &'t mut F,
    link: &'t mut Link<&'m mut [u8]>,
    parts: Parts<O, C, D, G>,
    port: Option<Port<L>>,
}

impl<W: Owner, F: Flash, O: FnMut() -> L, L: Line, C: Clock, D: Watchdog, G: Gauge>
    Turns<'_, '_, W, F, O, L, C, D, G>
{
    /// The frame of this function is what patches are applied in. It is left while an image is checked, which needs
    /// memory as well.
    #[inline(never)]
    fn with_patches(&mut self) -> Next {
        #[cfg(feature = "delta")]
        {
            // A constant: it is not to be put together elsewhere on the stack first.
            let mut applier = const { Applier::new() };
            self.until_changed(Some(&mut applier))
        }
        #[cfg(not(feature = "delta"))]
        self.until_changed(None)
    }

    /// Takes turns until the owner ends, or begins or ends to check an image.
    fn until_changed(&mut self, mut patches: Option<&mut Applier>) -> Next {
        let checking = self.owner.is_checking();
        loop {
            let next = self.turn(patches.as_deref_mut());
            if matches!(next, Next::Boot { .. } | Next::Reset { .. }) || self.owner.is_checking() != checking
            {
                return next;
            }
        }
    }

    fn turn(&mut self, patches: Option<&mut Applier>) -> Next {
        self.parts.watchdog.feed();
        let mut moved = false;
        if self.owner.is_serving() {
            let port = self.port.get_or_insert_with(|| Port::new((self.parts.open)()));
            moved = port.pump(self.link, self.parts.clock.now());
            if port.line.wants_bootloader() {
                return Next::Reset {
                    bootloader: true,
                    gave_up: None,
                };
            }
            if let Some(supply) = self.parts.gauge.supply() {
                self.owner.measured(supply);
            }
            self.owner.presence(self.parts.gauge.is_somebody_present());
        }
        let now = self.parts.clock.now();
        let next = self.owner.poll(self.flash, self.link, now, patches);
        if let Next::Idle { until } = next
            && !moved
        {
            self.parts.clock.rest(until);
        }
        next
    }

    /// Lets the last bytes leave; a line that does not take them is not waited for for long.
    fn drain(&mut self) {
        let Some(port) = &mut self.port else { return };
        let end = self.parts.clock.now() + MILLIS_TO_DRAIN;
        loop {
            let now = self.parts.clock.now();
            if port.is_drained() || now >= end {
                return;
            }
            self.parts.watchdog.feed();
            port.pump(self.link, now);
        }
    }
}

/// The line, and bytes that one side of it has not taken yet.
struct Port<L> {
    line: L,
    arrived: [u8; PIECE],
    /// Which of the arrived bytes wait for the link.
    unread: Range<usize>,
    /// When bytes last arrived, in milliseconds.
    heard: u64,
    leaving: [u8; PIECE],
    /// Which of the leaving bytes wait for the line.
    unsent: Range<usize>,
    /// When the line last took some of them, in milliseconds.
    sent: u64,
}

impl<L: Line> Port<L> {
    fn new(line: L) -> Self {
        Port {
            line,
            arrived: [0; PIECE],
            unread: 0..0,
            heard: 0,
            leaving: [0; PIECE],
            unsent: 0..0,
            sent: 0,
        }
    }

    /// Moves what can be moved between line and link without waiting; returns whether there was anything.
    fn pump(&mut self, link: &mut Link<&mut [u8]>, now: u64) -> bool {
        let moved = self.receive(link);
        if moved {
            self.heard = now;
        } else if link.is_receiving()
            && self.line.is_awaited()
            && now.saturating_sub(self.heard) > MILLIS_TO_PAUSE
        {
            link.idle();
        }
        self.send(link, now) || moved
    }

    fn receive(&mut self, link: &mut Link<&mut [u8]>) -> bool {
        let mut moved = false;
        for _ in 0..READS_PER_TURN {
            if self.unread.is_empty() {
                let conversation = if link.is_idle() && self.unsent.is_empty() {
                    Conversation::Paused
                } else {
                    Conversation::UnderWay
                };
                self.unread = 0..self.line.read(&mut self.arrived, conversation);
            }
            let unread = self.arrived.get(self.unread.clone()).unwrap_or_default();
            let taken = link.feed(unread);
            if taken == 0 {
                break;
            }
            self.unread.start += taken;
            moved = true;
        }
        moved
    }

    fn send(&mut self, link: &mut Link<&mut [u8]>, now: u64) -> bool {
        let mut moved = false;
        loop {
            if self.unsent.is_empty() {
                self.unsent = 0..link.transmit(&mut self.leaving);
            }
            if self.unsent.is_empty() {
                self.line.flush();
                self.sent = now;
                return moved;
            }
            let unsent = self.leaving.get(self.unsent.clone()).unwrap_or_default();
            let taken = self.line.write(unsent);
            if taken == 0 {
                let patience = if self.line.is_awaited() {
                    MILLIS_TO_TAKE_WHILE_AWAITED
                } else {
                    MILLIS_TO_TAKE
                };
                if now.saturating_sub(self.sent) > patience {
                    link.forget_reply();
                    link.forget_waiting();
                    self.unread = 0..0;
                    self.unsent = 0..0;
                }
                return moved;
            }
            self.unsent.start += taken;
            self.sent = now;
            moved = true;
        }
    }

    fn is_drained(&self) -> bool {
        self.unsent.is_empty() && self.line.is_drained()
    }
}
