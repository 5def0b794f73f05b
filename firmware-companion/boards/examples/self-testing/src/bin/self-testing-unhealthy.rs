//! Its sensor is broken: the self-test fails.
#![no_std]
#![no_main]

use bootlace_example_self_testing::{Behaviour, run};

#[cortex_m_rt::entry]
fn main() -> ! {
    run(Behaviour::Unhealthy)
}
