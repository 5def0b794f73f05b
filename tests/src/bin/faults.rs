//! `cargo xtask faults`: skips instructions of the shipped bootloader, one fault a run, with images that may not start, and
//! prints how many faults start one. `--only WORDS` takes the windows whose names contain the words, `--every N` each Nth
//! fault.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result};
use bootlace_tests::faults::windows;
use bootlace_tests::sweep::sweep;

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |flag: &str| arguments.iter().skip_while(|word| *word != flag).nth(1);
    let every = value("--every").map_or(Ok(1), |word| word.parse());
    let every: usize = every.context("--every takes a number")?;
    let started = Instant::now();
    let (mut skips, mut boots) = (0, 0);
    for window in windows() {
        let name = window.name;
        if value("--only").is_some_and(|words| !name.contains(words.as_str())) {
            continue;
        }
        let swept = sweep(window, every)?;
        skips += swept.skips;
        boots += swept.boots.len();
        for skip in &swept.boots {
            println!(
                "starts the image: {name} at {:#x}, {:?}",
                skip.address, skip.times
            );
        }
        println!("{name}/instructions {} instructions", swept.instructions);
        println!("{name}/skips {} skips", swept.skips);
        println!("{name}/hang {} skips", swept.hangs);
        println!("{name}/start-the-image {} skips <= 0", swept.boots.len());
    }
    println!("skips {skips} skips");
    println!("start-the-image {boots} skips <= 0");
    println!("minutes {:.1} minutes", started.elapsed().as_secs_f64() / 60.0);
    Ok(ExitCode::SUCCESS)
}
