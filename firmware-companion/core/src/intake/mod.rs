//! Bytes into the secondary slot, whichever way they come: as an image, or as a patch of the running one.
//!
//! [`Intake`] is handed pieces of a file and does at most one bounded flash operation a step. It keeps the offset, a
//! ledger in flash from which an interrupted file goes on after a power cut, erases ahead, and compares what is in flash
//! with the digest that was announced. It knows no protocol: the SMP server is one of its users. Whether the slot may be
//! written at all (`server/keeper`), and whether what is in it may run (`check`), is not decided here. Another way in needs a
//! caller beside `server`.

mod blank;
mod erase;
mod file;
mod ledger;
mod machine;
mod matching;
#[cfg(feature = "delta")]
mod patch;
#[cfg(not(feature = "delta"))]
#[path = "no_patch.rs"]
mod patch;
mod slot;

pub use file::{Fault, File, FileDigest, Kind, Piece, Received, Step};
pub use machine::Intake;
