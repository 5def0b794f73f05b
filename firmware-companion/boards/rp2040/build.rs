//! The linker's view of the memory, and the key that the board trusts.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a build that can't go on says so this way"
)]

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo names OUT_DIR"));
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo names its folder"));

    println!("cargo:rerun-if-changed=memory.x");
    fs::copy(here.join("memory.x"), out.join("memory.x")).expect("memory.x is here");
    println!("cargo:rustc-link-arg-bins=-L{}", out.display());
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    println!("cargo:rustc-link-arg-bins=--nmagic");

    let key = bootlace_trusted_key::trusted_key().unwrap_or_else(|problem| panic!("{problem}"));
    fs::write(out.join("key.bin"), key.bytes()).expect("OUT_DIR can be written");
}
