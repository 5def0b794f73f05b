//! A Raspberry Pi Pico: the board's own binary on an emulated RP2040 with its real boot ROM, its USB controller and flash
//! modelled in `tests/rp2040`, and a USB host that opens both of its functions.

mod bus;
pub mod cuts;
mod drive;
mod flash;
mod follow;
mod hex;
pub mod judge;
mod process;
mod terminal;
pub mod trace;

pub use bus::{Failure, Leaves, Transfer, setup};
pub use flash::{Behaviour, FLASH, Factory, PRIMARY, SECONDARY, STATE};
pub(crate) use follow::Follower;
pub use process::{Cut, Function, Info, Pico};
pub use terminal::{Terminal, touch};
