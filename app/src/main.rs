//! The page: choose an image, see the board, update it, watch it prove itself.

fn main() {}
