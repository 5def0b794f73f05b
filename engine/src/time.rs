//! Time is an argument.

use core::time::Duration;

/// A moment: microseconds since any moment that the driver chose, never running backwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub u64);

impl Instant {
    /// From milliseconds since the driver's zero, as `performance.now()` gives them.
    pub const fn from_millis(millis: u64) -> Self {
        Instant(millis.saturating_mul(1000))
    }

    /// Time since `earlier`; none if that is later.
    pub const fn since(self, earlier: Instant) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// A session that is called so much later than it asked for was not late: the machine slept.
const SLEPT: Duration = Duration::from_secs(15);

/// The time as a session knows it: it stands still while the machine sleeps. How the clock of a browser or a system counts
/// that time differs from one to the next, and no board was silent in it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    slept: Duration,
}

impl Clock {
    /// The session's time at the driver's `now`; the session was to be called at its own time `due`.
    pub(crate) fn at(&mut self, now: Instant, due: Option<Instant>) -> Instant {
        let slept = u64::try_from(self.slept.as_micros()).unwrap_or(u64::MAX);
        let own = Instant(now.0.saturating_sub(slept));
        match due {
            Some(due) if own > due + SLEPT => {
                self.slept += own.since(due);
                due
            }
            _ => own,
        }
    }

    /// The driver's time at the session's `own`.
    pub(crate) fn outside(self, own: Instant) -> Instant {
        own + self.slept
    }
}

impl core::ops::Add<Duration> for Instant {
    type Output = Instant;

    fn add(self, time: Duration) -> Instant {
        Instant(
            self.0
                .saturating_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX)),
        )
    }
}
