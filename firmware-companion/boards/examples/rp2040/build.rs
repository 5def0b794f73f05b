//! The linker's view of the memory.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a build that can't go on says so this way"
)]

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo names OUT_DIR"));
    let memory = "../../rp2040/application.x";
    println!("cargo:rerun-if-changed={memory}");
    fs::copy(memory, out.join("memory.x")).expect("the board says where applications lie");
    println!("cargo:rustc-link-arg-bins=-L{}", out.display());
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    println!("cargo:rustc-link-arg-bins=--nmagic");
}
