//! The worker: it owns every port and runs one session per board.
//!
//! - `bench` knows the boards, the ports, the image and the keys, and who may use which port.
//! - `greet` asks at a port who is there.
//! - `board` is one board: its session, its port, its timer; `job` is its running update as the view sees it.
//! - `ports` are the ways to a board: serial ports, vendor interfaces and simulated boards; `twins` are two of one board.
//! - `patches` are made by `maker`, a worker of its own, from images that `store` keeps.
//! - `examine` says what a chosen file is.
//!
//! The bench and the boards talk in `orders`. What the view is told are the engine's own types.

pub mod examine;
mod job;
mod timer;

#[cfg(target_arch = "wasm32")]
mod bench;
#[cfg(target_arch = "wasm32")]
mod board;
#[cfg(target_arch = "wasm32")]
mod doing;
#[cfg(target_arch = "wasm32")]
mod entry;
#[cfg(target_arch = "wasm32")]
mod file;
#[cfg(target_arch = "wasm32")]
mod greet;
#[cfg(target_arch = "wasm32")]
mod maker;
#[cfg(target_arch = "wasm32")]
mod orders;
#[cfg(target_arch = "wasm32")]
mod patches;
#[cfg(target_arch = "wasm32")]
mod ports;
#[cfg(target_arch = "wasm32")]
mod scope;
#[cfg(target_arch = "wasm32")]
mod seat;
#[cfg(target_arch = "wasm32")]
mod store;
#[cfg(target_arch = "wasm32")]
mod twins;

#[cfg(target_arch = "wasm32")]
pub use entry::worker_main;
#[cfg(target_arch = "wasm32")]
pub use maker::maker_main;
