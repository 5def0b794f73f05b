//! The core linked for a small chip: what it weighs, and from where it can panic.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::firmware;
use crate::process;
use crate::setup::targets;

const PROGRAM: &str = "link-check";

/// Parts of the names of functions that may panic: the arithmetic of signatures, whose assertions are about the sizes
/// of its own numbers. `PublicKey::begin_check` is where much of it is inlined.
const ARITHMETIC: [&str; 8] = [
    "crypto_bigint",
    "primeorder",
    "p256",
    "sec1",
    "subtle",
    "ecdsa",
    "elliptic_curve",
    "PublicKey11begin_check",
];

/// What came of the link.
pub(super) struct Linked {
    /// Code and constants, in bytes: what lies in flash.
    pub(super) flash: u64,
    /// Functions that call a panic and are not arithmetic.
    pub(super) panics: Vec<String>,
}

/// Links the core for the smallest chips.
pub(super) fn link() -> Result<Linked> {
    // So that the calls can be read from the linked program.
    let program = firmware::link(targets::CORTEX_M0, PROGRAM, &["-Clink-arg=--emit-relocs"])?;
    Ok(Linked {
        flash: flash(&readelf("-SW", &program)?)?,
        panics: panics(&program)?,
    })
}

fn readelf(option: &str, program: &PathBuf) -> Result<String> {
    if process::find("readelf").is_none() {
        bail!("`readelf` is missing; install Debian's binutils");
    }
    process::output(Command::new("readelf").args([option, "--"]).arg(program))
}

/// The sizes of all sections that are loaded and lie in flash.
fn flash(sections: &str) -> Result<u64> {
    let mut bytes = 0;
    for line in sections.lines() {
        // `[ 3] .text PROGBITS 00020a28 000a28 010e06 00 AX 0 0 4`
        let Some((_, section)) = line.split_once(']') else {
            continue;
        };
        let fields: Vec<&str> = section.split_whitespace().collect();
        let [_, kind, _, _, size, _, flags, ..] = fields.as_slice() else {
            continue;
        };
        if flags.contains('A') && *kind != "NOBITS" {
            bytes += u64::from_str_radix(size, 16)?;
        }
    }
    if bytes == 0 {
        bail!("the linked program is empty");
    }
    Ok(bytes)
}

fn panics(program: &Path) -> Result<Vec<String>> {
    let program = program.to_path_buf();
    let functions = functions(&readelf("-sW", &program)?);
    let calls = calls(&readelf("-rW", &program)?, &functions);
    if calls.is_empty() {
        bail!("the linked program holds no relocations to read calls from");
    }
    Ok(panicking(&calls))
}

/// Functions by address, each with its size in bytes and its name.
type Functions = BTreeMap<u64, (u64, String)>;

fn functions(symbols: &str) -> Functions {
    let mut functions = Functions::new();
    for line in symbols.lines() {
        // `6: 0002b6b5 8 FUNC LOCAL DEFAULT 3 NAME`; the lowest bit marks Thumb code.
        let fields: Vec<&str> = line.split_whitespace().collect();
        if let [_, address, size, "FUNC", _, _, _, name] = fields.as_slice()
            && let (Ok(address), Ok(size)) = (u64::from_str_radix(address, 16), size.parse())
        {
            functions.insert(address & !1, (size, (*name).to_owned()));
        }
    }
    functions
}

/// Which function refers to which names.
type Calls = BTreeMap<String, BTreeSet<String>>;

fn calls(relocations: &str, functions: &Functions) -> Calls {
    let mut calls = Calls::new();
    for line in relocations.lines() {
        // `00020a5c 0001090a R_ARM_THM_CALL 0002b6b5 NAME`
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [at, _, kind, _, name] = fields.as_slice() else {
            continue;
        };
        let Ok(at) = u64::from_str_radix(at, 16) else {
            continue;
        };
        if let Some((start, (size, caller))) = functions.range(..=at).next_back()
            && kind.starts_with("R_ARM")
            && at < start + size
        {
            calls
                .entry(caller.clone())
                .or_default()
                .insert((*name).to_owned());
        }
    }
    calls
}

/// The functions that call a panic, but for those of `core` itself, which pass the blame on, and the arithmetic.
fn panicking(calls: &Calls) -> Vec<String> {
    let names = calls.keys().chain(calls.values().flatten());
    let mut panics: BTreeSet<&String> = names.filter(|name| name.contains("9panicking")).collect();
    loop {
        let more: Vec<&String> = calls
            .iter()
            .filter(|(caller, called)| {
                is_core(caller) && !panics.contains(caller) && called.iter().any(|name| panics.contains(name))
            })
            .map(|(caller, _)| caller)
            .collect();
        if more.is_empty() {
            break;
        }
        panics.extend(more);
    }
    let ours = |caller: &String| !is_core(caller) && !ARITHMETIC.iter().any(|part| caller.contains(part));
    calls
        .iter()
        .filter(|(caller, called)| ours(caller) && called.iter().any(|name| panics.contains(name)))
        .map(|(caller, _)| caller.clone())
        .collect()
}

/// Whether a mangled name is of the `core` library; generic code of it that is instantiated for one of our types
/// names our crate as well.
fn is_core(name: &str) -> bool {
    (name.starts_with("_ZN4core") || name.contains("_4core")) && !name.contains("bootlace")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_loaded_is_weighed() {
        let sections = "  [Nr] Name Type Addr Off Size ES Flg Lk Inf Al\n\
            [ 1] .rodata PROGBITS 000100e8 0000e8 000940 00 AMS 0 0 8\n\
            [ 2] .bss NOBITS 20000000 000000 001000 00 WA 0 0 4\n\
            [ 3] .text PROGBITS 00020a28 000a28 010000 00 AX 0 0 4\n\
            [ 4] .symtab SYMTAB 00000000 0118ec 002b00 10 8 687 4\n";
        assert_eq!(flash(sections).unwrap(), 0x10940);
    }

    #[test]
    fn panics_are_traced_to_who_calls_them() {
        let symbols = "1: 00000101 16 FUNC LOCAL DEFAULT 3 _ZN8bootlace4link\n\
            2: 00000111 16 FUNC LOCAL DEFAULT 3 _ZN4core6option6unwrap\n\
            3: 00000121 16 FUNC LOCAL DEFAULT 3 _ZN13crypto_bigint4trim\n\
            4: 00000131 16 FUNC LOCAL DEFAULT 3 _ZN8bootlace5quiet\n\
            5: 00000141 16 FUNC LOCAL DEFAULT 3 _ZN4core9panicking5panic\n";
        let relocations = "00000104 00000a0a R_ARM_THM_CALL 00000111 _ZN4core6option6unwrap\n\
            00000114 00000a0a R_ARM_THM_CALL 00000141 _ZN4core9panicking5panic\n\
            00000124 00000a0a R_ARM_THM_CALL 00000141 _ZN4core9panicking5panic\n\
            00000134 00000a0a R_ARM_THM_CALL 00000101 _ZN8bootlace4link\n";
        let calls = calls(relocations, &functions(symbols));
        assert_eq!(panicking(&calls), ["_ZN8bootlace4link"]);
    }
}
