//! `cargo xtask cuts`: the full sweep of power cuts, and figures of it. `cuts tiny` and `cuts small` are parts of it; with
//! `--first`, the first board that is lost ends it.

use std::process::ExitCode;
use std::time::Instant;

use bootlace_cuts::{Count, Report, Size, plan};

/// A name without blanks, as figures have.
fn slug(name: &str) -> String {
    let words: Vec<&str> = name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    words.join("-")
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| arguments.iter().any(|argument| argument == word);
    let size = match () {
        () if has("tiny") => Size::Tiny,
        () if has("small") => Size::Small,
        () => Size::Full,
    };
    let started = Instant::now();
    let report = Report::new(&plan(size), has("--first"));
    let minutes = started.elapsed().as_secs_f64() / 60.0;
    for ((shape, scenario), count) in &report.counts {
        println!("{}/{} {} points", slug(shape), slug(scenario), count.points);
    }
    for brick in &report.bricks {
        println!("lost: {brick}");
    }
    let Count {
        points,
        again,
        distinct,
        ..
    } = report.total();
    println!("second-and-third-cuts {again} points");
    println!("distinct-states {distinct} states");
    println!("cut-points {points} points >= 1000000");
    println!("bricks {} boards <= 0", report.bricks.len());
    println!("minutes {minutes:.2} minutes <= 10");
    ExitCode::from(u8::from(!report.bricks.is_empty()))
}
