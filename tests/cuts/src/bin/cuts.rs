//! `cargo xtask cuts`: the full sweep of power cuts and of damage to one slot, and figures of both. `cuts tiny` and `cuts small` are parts of it;
//! `--only WORDS` takes the shapes and scenarios whose figures' names contain the words, `--seed N` tears other parts of the
//! operations, and with `--first` the first board that a cut loses ends it, and no slot is damaged.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use bootlace_cuts::{Count, Mended, Report, Scenario, Shape, Size, plan};

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

/// Damages one slot at a time of boards of this size, and mends those that stay. `chosen` says which shapes and scenarios.
fn damage(size: Size, chosen: impl Fn(&str, &str) -> bool) -> anyhow::Result<Mended> {
    let mut mended = Mended::default();
    for shape in Shape::all(size) {
        let mut scenarios = Scenario::all();
        scenarios.retain(|scenario| chosen(&shape.name, scenario.name));
        mended
            .sweep(&shape, &scenarios)
            .with_context(|| shape.name.clone())?;
    }
    Ok(mended)
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
    let damaged = damage(size, |shape, scenario| {
        let name = figure(shape, scenario);
        !has("--first") && value("--only").is_none_or(|words| name.contains(words))
    });
    let damaged = match damaged {
        Ok(damaged) => damaged,
        Err(error) => {
            eprintln!("damage to one slot: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    let minutes = started.elapsed().as_secs_f64() / 60.0;
    let bricks = report.bricks.len() + damaged.bricks.len();
    for brick in report.bricks.iter().chain(&damaged.bricks) {
        println!("lost: {brick}");
    }
    for board in &damaged.stuck {
        println!("stuck: {board}");
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
    println!("slots-damaged {} boards", damaged.damaged);
    println!("mended-where-they-stayed {} starts", damaged.stayed);
    println!("bricks {bricks} boards <= 0");
    println!("stuck {} boards <= 0", damaged.stuck.len());
    println!("minutes {minutes:.2} minutes");
    ExitCode::from(u8::from(bricks + damaged.stuck.len() > 0))
}
