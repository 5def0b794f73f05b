//! `cargo xtask cuts`: the full sweep of power cuts, and figures of it. `cuts tiny` and `cuts small` are parts of it;
//! `--only WORDS` takes the shapes and scenarios whose figures' names contain the words, `--seed N` tears other parts of the
//! operations, and with `--first` the first board that is lost ends it.

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

/// What the points of one sweep are called.
fn figure(shape: &str, scenario: &str) -> String {
    format!("{}/{}", slug(shape), slug(scenario))
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| arguments.iter().any(|argument| argument == word);
    let size = match () {
        () if has("tiny") => Size::Tiny,
        () if has("small") => Size::Small,
        () => Size::Full,
    };
    let value = |flag: &str| arguments.iter().skip_while(|word| *word != flag).nth(1);
    let seed = value("--seed").map_or(Ok(0), |word| word.parse());
    let Ok(seed) = seed else {
        eprintln!("--seed takes a number");
        return ExitCode::FAILURE;
    };
    let mut sweeps = plan(size, seed);
    if let Some(words) = value("--only") {
        sweeps.retain(|(shape, sweep)| figure(shape, sweep.scenario.name).contains(words));
    }
    let started = Instant::now();
    let report = Report::new(&sweeps, has("--first"), |shape, sweep, count| {
        println!("{} {} points", figure(shape, sweep.scenario.name), count.points);
    });
    let minutes = started.elapsed().as_secs_f64() / 60.0;
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
    println!("minutes {minutes:.2} minutes");
    ExitCode::from(u8::from(!report.bricks.is_empty()))
}
