//! Delta updates: a patch says how an image differs from the one a board runs, which serves as the dictionary. What
//! only moved costs nearly nothing: before it is looked at, the old image's branches and pointers are moved to where
//! the new image has what they point to. `FORMAT.md` beside this crate is the format.
//!
//! [`Applier`] runs on the board: patch bytes in, pages out, no heap, about 8 KB of state. Making patches is in
//! `make`, behind the feature of that name, with a heap.
//!
//! ```
//! # #[cfg(feature = "make")] {
//! use bootlace_delta::make::{Options, make};
//!
//! let old: Vec<u8> = (0..4000u32).flat_map(|word| (word * word).to_le_bytes()).collect();
//! let mut new = old.clone();
//! new.splice(5000..5002, *b"more than two");
//! let patch = make(&old, &new, &Options::default());
//! assert!(patch.bytes.len() < 100);
//! assert_eq!(bootlace_delta::apply_to_vec(&old, &patch.bytes), Ok(new));
//! # }
//! ```
#![no_std]
#![forbid(unsafe_code)]

#[cfg(feature = "make")]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod apply;
mod header;
#[cfg(feature = "make")]
pub mod make;
mod model;
mod view;
#[cfg(feature = "make")]
mod whole;

pub use apply::{Applier, Error, MAX_RUNS, Memory, PAGE, Step, Unreadable};
pub use header::{DIGEST, Header, HeaderError, MAGIC, MAX_LEN, MAX_RELOCATED, MAX_TOTAL, Method, VERSION};
#[cfg(feature = "make")]
pub use whole::{NotProved, WholeError, apply_to_vec, make_proved};
