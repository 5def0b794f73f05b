//! The mistakes that the sweep must catch are still mistakes of today's core.
#![allow(missing_docs)]

use std::path::Path;

use bootlace_cuts::MUTANTS;

#[test]
fn every_mutant_finds_its_place() {
    let core = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../firmware-companion/core/src");
    let lost = MUTANTS.iter().filter(|mutant| {
        let source = std::fs::read_to_string(core.join(mutant.file)).unwrap_or_default();
        mutant.apply(&source).is_none_or(|changed| changed == source)
    });
    let lost: Vec<_> = lost
        .map(|mutant| (mutant.name, mutant.file, mutant.from))
        .collect();
    assert!(lost.is_empty(), "not to be found exactly once: {lost:#?}");
}
