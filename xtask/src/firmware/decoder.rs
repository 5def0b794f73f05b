//! What applying patches takes of a chip, whatever its board.

use std::fs;

use anyhow::{Context as _, Result};

use super::elf::Program;
use crate::setup::targets;

/// Bytes that state, map and buffers may take.
const RAM: u32 = 8 * 1024;
/// Bytes that the code may take.
const CODE: u32 = 5 * 1024;

/// The decoder on one kind of chip, in bytes.
pub(super) struct Decoder {
    target: &'static str,
    /// Without the compiler's own.
    code: u32,
    ram: u32,
}

/// The decoder on a Cortex-M0 and a Cortex-M4.
pub(super) fn sizes() -> Result<Vec<Decoder>> {
    [targets::CORTEX_M0, targets::CORTEX_M4]
        .into_iter()
        .map(Decoder::new)
        .collect()
}

impl Decoder {
    fn new(target: &'static str) -> Result<Self> {
        // Without the program's own headers in what is loaded.
        let program = super::link(target, "decoder", &["-Clink-arg=--nmagic"])?;
        let bytes = fs::read(&program).with_context(|| format!("{} can't be read", program.display()))?;
        let program = Program::new(bytes)?;
        let (mut code, mut ram) = (0, 0);
        for segment in program.segments()? {
            code += segment.bytes.len() as u32;
            ram += segment.size - segment.bytes.len() as u32;
        }
        for symbol in program.symbols()? {
            // Copying and clearing: every program has them.
            if symbol.name.contains("compiler_builtins") || symbol.name.starts_with("__aeabi_mem") {
                code -= symbol.size;
            }
        }
        Ok(Decoder { target, code, ram })
    }

    pub(super) fn is_within(&self) -> bool {
        self.code <= CODE && self.ram <= RAM
    }

    pub(super) fn print(&self) {
        let verdict = if self.is_within() { "" } else { "  TOO MUCH" };
        println!("patches on {}", self.target);
        println!(
            "  code {} of {CODE} bytes, state, map and buffers {} of {RAM} bytes{verdict}",
            self.code, self.ram
        );
    }

    pub(super) fn json(&self) -> String {
        format!(
            "{{\"decoder\":\"{}\",\"code\":{},\"code_budget\":{CODE},\"ram\":{},\"ram_budget\":{RAM}}}",
            self.target, self.code, self.ram
        )
    }
}
