//! What patches are applied in.

#[cfg(feature = "delta")]
pub use bootlace_delta::Applier;

/// What patches are applied in: nothing, in a build without feature `delta`.
#[cfg(not(feature = "delta"))]
#[derive(Debug)]
pub enum Applier {}
