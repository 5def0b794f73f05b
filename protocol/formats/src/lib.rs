//! Files that programmers and chips take: Intel HEX and UF2. The first is written, the second written and read.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod hex;
pub mod uf2;
