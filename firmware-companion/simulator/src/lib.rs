//! The companion on simulated NOR flash with a timing model.
//!
//! The same core and app-kit as on a chip, on flash that takes its time and can lose power at any moment, behind a
//! line of a given speed. It runs natively behind a pseudo-terminal and inside the page.
#![forbid(unsafe_code)]

mod board;
mod config;
mod flash;
mod line;
mod owner;
mod seen;

pub use board::SimulatedBoard;
pub use config::{Behaviour, Config};
pub use flash::{Cut, Moment, NorFlash, Timing};
pub use seen::{Activity, PortIdentity};

pub use bootlace_core::allow::{Allow, Permission, RequestKind};
pub use bootlace_core::board::{Identity, Policy};
pub use bootlace_core::chip::{Map, Region};
pub use bootlace_core::flash::Area;
pub use bootlace_core::wire::Origin;
pub use bootlace_smp::bootlace::Supply;
