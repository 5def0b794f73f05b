//! It is well, and never confirms itself.
#![no_std]
#![no_main]

use bootlace_example_self_testing::{Behaviour, run};

#[cortex_m_rt::entry]
fn main() -> ! {
    run(Behaviour::Undecided)
}
