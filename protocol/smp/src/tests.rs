#![allow(clippy::unwrap_used, clippy::panic)]
//! Golden bytes are what smpclient 7.3.0 (smp 4.2.0, cbor2) sends and accepts.
extern crate std;

mod malformed;
mod requests;
mod responses;

use std::vec::Vec;

use crate::*;

/// Bytes of a string of hex digits.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// xorshift64*: a seed is printed with a failure and repeats it.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() >> 33) as usize % n.max(1)
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

const HASH: [u8; 32] = {
    let mut hash = [0; 32];
    let mut at = 0;
    while at < 32 {
        hash[at] = at as u8;
        at += 1;
    }
    hash
};
