//! It hangs before it has confirmed itself; its timer still runs.
#![no_std]
#![no_main]

use bootlace_example_self_testing::{Behaviour, run};

#[cortex_m_rt::entry]
fn main() -> ! {
    run(Behaviour::Hangs)
}
