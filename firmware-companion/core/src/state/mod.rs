//! What the board must remember across a power cut, kept as appended records in two erase units.

mod journal;
mod log;
pub(crate) mod record;
mod summary;

pub use journal::Journal;
pub(crate) use journal::release;
pub use log::Log;
pub use record::{Record, SwapKind, SwapPlan};
pub(crate) use summary::MOST_STARTS;
pub use summary::{State, Swap};
