//! The program that the page loads for “New board”. It does nothing before the page opens it.

// What the page calls is in the library.
use bootlace_new_board as _;

fn main() {}
