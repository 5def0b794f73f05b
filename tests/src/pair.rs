//! Two ends of a bad line under a virtual clock.

pub mod wire;
