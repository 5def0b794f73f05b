//! A model of Nordic's bootloader at its serial port, written from nRF5 SDK 17.0.2 and no kinder than that: files of the SDK are
//! named with their lines. It knows nothing of `bootlace-nordic-dfu`: frames and protocol buffers are read here a second time, so
//! that both would have to be wrong in the same way. Nordic's `nrfutil` is its judge (`tests/tests/nordic.rs`).

mod init;
mod judge;
mod loader;
mod settings;
mod slip;
mod terminal;

pub use loader::{Config, Loader, PAGE, SIZE};
pub use terminal::Terminal;
