//! The loop around whoever owns the board: move bytes, feed the watchdog, poll. Bootloader and application use the same.

use bootlace_core::flash::Flash;
use bootlace_core::link::Link;
use bootlace_core::{Applier, Next, Owner};
use bootlace_smp::bootlace::Supply;

use crate::retained::Left;

/// A serial line without memory of its own.
pub trait Line {
    /// A byte that arrived.
    fn read(&mut self) -> Option<u8>;

    /// Takes a byte to be sent; false while there is no room.
    fn write(&mut self, byte: u8) -> bool;

    /// Everything has left.
    fn is_drained(&self) -> bool;
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

/// What is to be measured of the board's supply.
pub trait Gauge {
    /// The supply now; below its limit no update begins.
    fn supply(&mut self) -> Option<Supply>;
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
/// Bytes that are taken from the line between two polls, at most.
const BYTES_PER_TURN: usize = 32;

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
            moved = port.pump(self.link);
            if let Some(supply) = self.parts.gauge.supply() {
                self.owner.measured(supply);
            }
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
        while !port.is_drained() && self.parts.clock.now() < end {
            self.parts.watchdog.feed();
            port.pump(self.link);
        }
    }
}

/// The line, and bytes of the link that the line has not taken yet.
struct Port<L> {
    line: L,
    piece: [u8; 16],
    /// Which of them wait.
    waiting: core::ops::Range<usize>,
}

impl<L: Line> Port<L> {
    fn new(line: L) -> Self {
        Port {
            line,
            piece: [0; 16],
            waiting: 0..0,
        }
    }

    /// Moves what can be moved between line and link without waiting; returns whether there was anything.
    fn pump(&mut self, link: &mut Link<&mut [u8]>) -> bool {
        let mut moved = false;
        for _ in 0..BYTES_PER_TURN {
            if link.is_full() {
                break;
            }
            let Some(byte) = self.line.read() else { break };
            link.feed(&[byte]);
            moved = true;
        }
        if self.waiting.is_empty() {
            self.waiting = 0..link.transmit(&mut self.piece);
        }
        while let Some(&byte) = self.piece.get(self.waiting.clone()).and_then(<[u8]>::first) {
            if !self.line.write(byte) {
                break;
            }
            self.waiting.start += 1;
            moved = true;
        }
        moved
    }

    fn is_drained(&self) -> bool {
        self.waiting.is_empty() && self.line.is_drained()
    }
}
