//! A test program's own `main`: scenarios one after another, reported in the form of the standard test harness.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::Result;
use bootlace_browser::webdriver::Gone;

/// One named scenario over what all of them share.
pub type Scenario<T> = (&'static str, fn(&mut T) -> Result<()>);

/// What scenarios share.
pub trait Shared {
    /// Runs after each scenario: an error here fails the scenario too.
    ///
    /// # Errors
    /// What the scenario left behind that it must not.
    fn leave(&mut self, name: &str, failed: bool) -> Result<()>;

    /// Another browser in the place of the one that has ended by itself.
    ///
    /// # Errors
    /// When it does not start.
    fn renew(&mut self) -> Result<()>;
}

/// The names given on the command line, as `cargo test -- NAME` does; flags of the standard harness are accepted and
/// have no effect.
pub fn wanted() -> Vec<String> {
    std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect()
}

/// Which part of the scenarios this process runs: `(index, count)`.
const SHARD: &str = "BOOTLACE_SHARD";

/// Runs this program again `count` times at once, each for its share of the scenarios, and ends with their output and
/// the worst of their exit codes. Returns in the processes that it starts. Scenarios mostly wait; a few browsers at
/// once wait together. They get `environment` in addition.
///
/// # Errors
/// When a process can't be started.
pub fn share_out(count: usize, environment: &[(&str, &Path)]) -> Result<()> {
    if std::env::var_os(SHARD).is_some() {
        return Ok(());
    }
    let start = |index: usize| {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(std::env::args_os().skip(1))
            .env(SHARD, format!("{index}/{count}"));
        command
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
    };
    let shards = (0..count).map(start).collect::<std::io::Result<Vec<_>>>()?;
    let mut worst = 0;
    for shard in shards {
        let output = shard.wait_with_output()?;
        print!("{}", String::from_utf8_lossy(&output.stdout));
        worst = worst.max(output.status.code().unwrap_or(1));
    }
    std::process::exit(worst)
}

/// Whether this process runs the scenario of this number.
fn is_mine(number: usize) -> bool {
    let shard = std::env::var(SHARD).unwrap_or_default();
    let parts = shard.split_once('/');
    let Some((Ok(index), Ok(count))) = parts.map(|(a, b)| (a.parse::<usize>(), b.parse::<usize>())) else {
        return true;
    };
    number % count.max(1) == index
}

/// Runs the scenarios whose names contain one of `wanted` (all, when it is empty) and prints a line for each, and the
/// sum. A scenario whose browser ends by itself runs once more in a new one, which is said. Returns the process's exit code.
pub fn run<T: Shared>(shared: &mut T, scenarios: &[Scenario<T>], wanted: &[String]) -> i32 {
    let chosen: Vec<_> = scenarios
        .iter()
        .filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str())))
        .enumerate()
        .filter(|(number, _)| is_mine(*number))
        .map(|(_, scenario)| scenario)
        .collect();
    println!("\nrunning {} tests", chosen.len());
    let start = Instant::now();
    let mut failures = Vec::new();
    for scenario in &chosen {
        let name = scenario.0;
        let began = Instant::now();
        let mut outcome = once(shared, scenario);
        if let Err(error) = &outcome
            && error.chain().any(|cause| cause.is::<Gone>())
        {
            // Once, that says nothing of the page; one that the page brings to its end ends again.
            println!("  {name}: {error:#}\n  once more, in a new browser");
            outcome = shared.renew().and_then(|()| once(shared, scenario));
        }
        let verdict = if outcome.is_ok() { "ok" } else { "FAILED" };
        println!(
            "test {name} ... {verdict} ({:.1} s)",
            began.elapsed().as_secs_f32()
        );
        if let Err(error) = outcome {
            let chain: Vec<_> = error.chain().map(ToString::to_string).collect();
            println!("---- {name} ----\n{}\n", chain.join("\n  because: "));
            failures.push(name);
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

/// Runs a scenario and leaves it. What went wrong first counts.
fn once<T: Shared>(shared: &mut T, (name, scenario): &Scenario<T>) -> Result<()> {
    let outcome = caught(|| scenario(shared));
    let left = caught(|| shared.leave(name, outcome.is_err()));
    outcome.and(left)
}

fn caught(run: impl FnOnce() -> Result<()>) -> Result<()> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err(anyhow::anyhow!("it panicked (see above)")))
}
