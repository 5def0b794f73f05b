//! Set-up, run, test, bench and size: one command each.

fn main() {}
