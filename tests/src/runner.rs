//! A test program's own `main`: scenarios one after another, reported in the form of the standard test harness.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use anyhow::Result;

/// One named scenario over what all of them share.
pub type Scenario<T> = (&'static str, fn(&mut T) -> Result<()>);

/// The names given on the command line, as `cargo test -- NAME` does; flags of the standard harness are accepted and
/// have no effect.
pub fn wanted() -> Vec<String> {
    std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect()
}

/// Runs the scenarios whose names contain one of `wanted` (all, when it is empty) and prints a line for each, and the
/// sum. `after` runs after each: an error there fails the scenario too. Returns the process's exit code.
pub fn run<T>(
    shared: &mut T,
    scenarios: &[Scenario<T>],
    wanted: &[String],
    after: fn(&mut T, name: &str, failed: bool) -> Result<()>,
) -> i32 {
    let chosen: Vec<_> = scenarios
        .iter()
        .filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str())))
        .collect();
    println!("\nrunning {} tests", chosen.len());
    let start = Instant::now();
    let mut failures = Vec::new();
    for (name, scenario) in &chosen {
        let began = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| scenario(shared)))
            .unwrap_or_else(|_| Err(anyhow::anyhow!("it panicked (see above)")));
        let tidy = catch_unwind(AssertUnwindSafe(|| after(shared, name, outcome.is_err())))
            .unwrap_or_else(|_| Err(anyhow::anyhow!("it panicked afterwards (see above)")));
        let verdict = if outcome.is_ok() && tidy.is_ok() {
            "ok"
        } else {
            "FAILED"
        };
        println!(
            "test {name} ... {verdict} ({:.1} s)",
            began.elapsed().as_secs_f32()
        );
        if let Some(error) = outcome.and(tidy).err() {
            let chain: Vec<_> = error.chain().map(ToString::to_string).collect();
            println!("---- {name} ----\n{}\n", chain.join("\n  because: "));
            failures.push(*name);
        }
    }
    let failed = failures.len();
    println!(
        "\ntest result: {}. {} passed; {failed} failed; 0 ignored; 0 measured; {} filtered out; finished in {:.2}s\n",
        if failed == 0 { "ok" } else { "FAILED" },
        chosen.len() - failed,
        scenarios.len() - chosen.len(),
        start.elapsed().as_secs_f32(),
    );
    i32::from(failed > 0)
}
