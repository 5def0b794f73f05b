//! Power cuts: at every flash operation of everything that a board does with its flash.
//!
//! A [`Rig`] is a board without time: the companion's own loader and server on simulated flash, driven straight
//! through. A scenario is run once to count its flash operations, then again for every operation and moment, with the
//! power cut there; the board must then start an image that is whole, keep what was confirmed, and be able to finish.

mod rig;
mod scenario;

pub use rig::{Geometry, Rig, Started};
pub use scenario::{Count, Scenario, Sweep};
