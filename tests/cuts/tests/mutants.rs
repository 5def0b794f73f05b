//! The mistakes that the sweep must catch are still mistakes of today's core.
#![allow(missing_docs)]

use bootlace_cuts::{MUTANTS, core_sources};

#[test]
fn every_mutant_finds_its_place_once() -> std::io::Result<()> {
    let sources = core_sources(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))?;
    let lost: Vec<String> = MUTANTS
        .iter()
        .filter_map(|mutant| match mutant.apply(&sources) {
            Ok(mistaken) if mistaken.text != mistaken.source.text => None,
            Ok(_) => Some(format!("{}: the mistake changes nothing", mutant.name)),
            Err(error) => Some(error),
        })
        .collect();
    assert!(lost.is_empty(), "{lost:#?}");
    Ok(())
}
