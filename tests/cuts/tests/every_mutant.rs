//! The sweep of power cuts catches every mistake of the list.
#![allow(missing_docs)]

/// Builds the core once for each: 2 to 4 minutes on two cores.
#[test]
fn every_mutant_is_caught() {
    let mutants = std::process::Command::new(env!("CARGO_BIN_EXE_mutants")).output();
    let (success, text) = mutants.map_or((false, String::new()), |output| {
        (
            output.status.success(),
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
        )
    });
    println!("{text}");
    assert!(success, "{text}");
}
