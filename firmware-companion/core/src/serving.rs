//! Serving SMP, the same in the bootloader and in an application: what is done at each poll, and what is next.

use bootlace_smp::bootlace::{RollbackReason, Supply};

use crate::applier::Applier;
use crate::flash::Flash;
use crate::server::{Runner, Server, Step};
use crate::wire::Wire;

/// What a board does after a poll. Times are milliseconds on the caller's own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Poll again: there is more to do at once.
    Again,
    /// Nothing to do until bytes arrive or leave, or until this time.
    Idle {
        /// When to poll at the latest; `None` where only bytes matter.
        until: Option<u64>,
    },
    /// Run the image whose vector table the processor sees at this address.
    Boot {
        /// Address of the vector table: slot plus header.
        vectors: u32,
        /// The image must confirm itself.
        trial: bool,
    },
    /// Restart the chip.
    Reset {
        /// Into the bootloader, to stay there.
        bootloader: bool,
        /// The application gives itself up: leave this in RAM that survives the reset, for the bootloader.
        gave_up: Option<RollbackReason>,
    },
}

/// Who owns a board: its bootloader or its application. The caller moves bytes between port and wire, feeds its watchdog
/// and polls, again and again; no poll waits for anything.
pub trait Owner {
    /// Does at most one bounded thing (one flash operation, or a million instructions of a Cortex-M0 with feature
    /// `small-p256`) and returns what is next. `now` never runs backwards. With `patches`, patches are taken.
    fn poll<F: Flash, W: Wire>(
        &mut self,
        flash: &mut F,
        wire: &mut W,
        now: u64,
        patches: Option<&mut Applier>,
    ) -> Next;

    /// Whether the port is to be open: a bootloader opens it only when there is nothing to run.
    fn is_serving(&self) -> bool;

    /// Whether an image is being checked. What patches are applied in is not used meanwhile, and may be given to something
    /// else; afterwards it must be [`Applier`]'s `new`.
    fn is_checking(&self) -> bool;

    /// Takes what the board's supply is now: below its limit no update begins.
    fn measured(&mut self, supply: Supply);

    /// Takes whether somebody is present now: see
    /// [`Permission::WithPresence`](crate::allow::Permission::WithPresence). Nobody is until this says so.
    fn presence(&mut self, is_present: bool);
}

/// Milliseconds that the answer to a request for a reset has to leave: a host that does not read can't keep a board from
/// its reset.
pub const MILLIS_TO_LEAVE: u64 = 1000;

/// A server, and what it needs of time.
#[derive(Debug)]
pub struct Serving<'a, R: Runner> {
    /// The server, for what its owner asks of it directly.
    pub server: Server<'a, R>,
    /// The reset that was asked for, and when it comes at the latest.
    leaving: Option<(Next, u64)>,
}

impl<'a, R: Runner> Serving<'a, R> {
    /// Begins to serve.
    pub const fn new(server: Server<'a, R>) -> Self {
        Serving {
            server,
            leaving: None,
        }
    }

    /// See [`Owner::poll`].
    // Not a part of the caller, in whose frame the parts of a board lie far apart.
    #[inline(never)]
    pub fn poll<F: Flash, W: Wire>(
        &mut self,
        flash: &mut F,
        wire: &mut W,
        now: u64,
        patches: Option<&mut Applier>,
    ) -> Next {
        let silence = wire.give_up_late(now);
        if let Some((reset, latest)) = self.leaving {
            return if wire.is_sending() && now < latest {
                Next::Idle { until: Some(latest) }
            } else {
                reset
            };
        }
        match self.server.step(wire, flash, patches) {
            Step::Working => Next::Again,
            Step::Idle => Next::Idle { until: silence },
            Step::Reset { bootloader } => {
                let reset = Next::Reset {
                    bootloader,
                    gave_up: None,
                };
                self.leaving = Some((reset, now.saturating_add(MILLIS_TO_LEAVE)));
                Next::Again
            }
        }
    }
}
