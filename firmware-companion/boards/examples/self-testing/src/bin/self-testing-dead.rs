//! It hangs with interrupts off: only the watchdog of the chip, or somebody, gets it out.
#![no_std]
#![no_main]

use bootlace_example_self_testing::{Behaviour, run};

#[cortex_m_rt::entry]
fn main() -> ! {
    run(Behaviour::Dead)
}
