//! The emulated Pico's processor (`tests/rp2040/processor.mjs`) against the one of rp2040js, which it takes the place of because it
//! is ten times as fast.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::path::Path;
use std::process::Command;

use bootlace_tests::rp2040::{Behaviour, Factory};
use bootlace_tests::tools;
use serde_json::Value;

/// What `tests/rp2040/processor_test.mjs` compared, all of which was the same.
fn compared(arguments: &[&str]) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("rp2040/processor_test.mjs");
    let output = Command::new("node")
        .arg(script)
        .args(arguments)
        .env("BOOTLACE_RP2040JS", tools::required("BOOTLACE_RP2040JS").unwrap())
        .env(
            "BOOTLACE_RP2040_BOOTROM",
            tools::required("BOOTLACE_RP2040_BOOTROM").unwrap(),
        )
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn every_opcode_does_the_same_to_registers_drawn_by_chance() {
    let tally = compared(&["opcodes", "2040"]);
    assert!(tally["cases"].as_u64().unwrap() > 150_000, "{tally}");
    assert!(tally["faults"].as_u64().unwrap() > 50_000, "{tally}");
}

#[test]
fn boot_rom_bootloader_and_application_run_the_same() {
    let factory = Factory::new().unwrap();
    let (image, _) = factory.application(Behaviour::Normal, 0).unwrap();
    let folder = std::env::temp_dir().join(format!("bootlace-processor-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("flash");
    std::fs::write(&file, factory.flash(Some(&image)).unwrap()).unwrap();
    let tally = compared(&["firmware", file.to_str().unwrap()]);
    std::fs::remove_dir_all(&folder).unwrap();
    let count = |name: &str| tally[name].as_u64().unwrap();
    // The check of a signature.
    assert!(count("instructions") > 10_000_000, "{tally}");
    // Most of them ran in blocks, and the board slept until its host came.
    assert!(count("blocks") < count("instructions") / 5, "{tally}");
    assert!(count("sleeps") > 0 && count("events") > 5_000, "{tally}");
    assert_eq!(tally["isStuck"], false, "{tally}");
}
