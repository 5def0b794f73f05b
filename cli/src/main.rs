//! The update engine on the command line.

fn main() {}
