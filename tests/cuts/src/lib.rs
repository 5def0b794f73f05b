//! Power cuts: at every flash operation of everything that a board does with its flash.
//!
//! A [`Rig`] is a board without time: the companion's own loader, server and app-kit on simulated flash, driven straight
//! through. A [`Scenario`] is a list of [`Step`]s that prepare the board and a list that is cut. [`Sweep`] does each step
//! once, keeps a tape of its flash operations, and forks the board before each of them: nothing, a part, or all of the
//! operation happens, and the power is gone. What may be so afterwards is the [`Model`]'s to say; the board then starts,
//! must agree with the model at every start, and must be able to take the next update. During that it can be cut again.
//!
//! To add a scenario: a line in [`Scenario::all`]. To add something that a board does: a [`Step`], what it does to the
//! board ([`Step::run`]) and what it means ([`Model`]).
#![forbid(unsafe_code)]

mod geometry;
mod images;
mod mend;
mod model;
mod models;
mod mutants;
mod report;
mod rig;
mod scenario;
mod served;
mod shapes;
mod step;
mod sweep;
mod tape;

pub use geometry::Geometry;
pub use images::Images;
pub use mend::Mended;
pub use model::Model;
pub use models::Models;
pub use mutants::{MUTANTS, Mistaken, Mutant, Source, core_sources};
pub use report::Report;
pub use rig::{Observed, Rig, Started};
pub use scenario::Scenario;
pub use served::{Served, Through};
pub use shapes::{Effort, Shape, Size, plan};
pub use step::Step;
pub use sweep::{Count, Sweep};
pub use tape::{Chip, Operation};
