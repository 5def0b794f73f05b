//! `cargo xtask test`: every test there is, and one line at the end.

mod counts;
mod link;
mod wasm;

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::bench::Options;
use crate::process::{self, Step};
use crate::project::{self, cargo};
use crate::run;
use crate::run::page;
use crate::setup::{self, targets};
use counts::Counts;

/// No step takes this long on two cores (the longest, tests with browser and peers: 26 minutes, half as long again on a busy
/// machine); one that does hangs, and a build machine should not wait for it.
const LIMIT: Duration = Duration::from_secs(45 * 60);

/// How much is tested.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Everything.
    Full,
    /// What needs no browser, peer or emulator.
    Quick,
}

/// Runs the tests, prints the last line, and says whether all is well.
pub(crate) fn all(extent: Extent) -> Result<bool> {
    let began = Instant::now();
    let mut session = Session {
        total: Counts::default(),
        failed: Vec::new(),
    };
    session.format();
    session.lint();
    session.chips();
    session.house();
    session.dependencies();
    match extent {
        Extent::Quick => session.quick(),
        Extent::Full => session.full(),
    }
    let Counts { passed, failed } = session.total;
    for name in &session.failed {
        println!("failed: {name}");
    }
    println!("all of it took {:.0} s", began.elapsed().as_secs_f64());
    println!("{passed} passed, {failed} failed");
    Ok(failed == 0)
}

/// How a program's result is counted.
#[derive(Clone, Copy)]
enum Count {
    /// The program is one test.
    Whole,
    /// It is a test runner and prints its counts.
    Inside,
}

struct Session {
    total: Counts,
    /// What failed, each with its step: named once more at the end, where a build machine's log is sure to show it.
    failed: Vec<String>,
}

impl Session {
    fn format(&mut self) {
        let mut command = cargo();
        command.args(["fmt", "--all", "--", "--check", "--color", "never", "-l"]);
        self.step("formatting (`cargo fmt --all`)", command, Count::Whole);
    }

    fn lint(&mut self) {
        let mut command = cargo();
        command.args([
            "clippy",
            "--locked",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]);
        self.step("lints", command, Count::Whole);
    }

    /// The same for what runs on chips, which is a workspace of its own.
    fn chips(&mut self) {
        match crate::firmware::checks() {
            Ok(commands) => {
                for (title, command) in commands {
                    self.step(&title, command, Count::Whole);
                }
            }
            Err(error) => self.broken("programs for chips", &error),
        }
    }

    /// One test: that files can be read one after another.
    fn house(&mut self) {
        let options = Options {
            check: true,
            ..Options::default()
        };
        match crate::house::print(options) {
            Ok(well) => self.one("files that are too long or import each other", well),
            Err(error) => self.broken("files that are too long or import each other", &error),
        }
    }

    /// Licences, sources and doubles. Building cargo-deny takes longer than all tests: it runs where it is installed.
    fn dependencies(&mut self) {
        if process::output(cargo().args(["deny", "--version"])).is_err() {
            eprintln!(
                "-- dependencies: skipped, cargo-deny is not installed (`cargo install --locked cargo-deny`)"
            );
            return;
        }
        let mut command = cargo();
        command.args(["deny", "--workspace", "check", "bans", "licenses", "sources"]);
        self.step("dependencies", command, Count::Whole);
    }

    fn quick(&mut self) {
        let mut command = cargo();
        command.args([
            "test",
            "--locked",
            "--workspace",
            "--no-fail-fast",
            "--lib",
            "--bins",
        ]);
        match project::tests_without_tools() {
            Ok(names) => command.args(names.iter().flat_map(|name| ["--test", name])),
            Err(error) => return self.broken("tests", &error),
        };
        self.step("tests", command, Count::Inside);
        self.documentation();
    }

    fn documentation(&mut self) {
        let mut command = cargo();
        command.args(["test", "--locked", "--workspace", "--no-fail-fast", "--doc"]);
        self.step("examples in the documentation", command, Count::Inside);
    }

    fn full(&mut self) {
        let tools = match setup::environment() {
            Ok(tools) => tools,
            Err(error) => return self.broken("set-up", &error),
        };
        match run::build_all().and_then(|()| page::print_weight(&page::dist())) {
            Ok(within) => self.one("the page's weight", within),
            Err(error) => self.broken("the page", &error),
        }
        let mut command = cargo();
        command
            .args(["test", "--locked", "--workspace", "--no-fail-fast"])
            .envs(tools.iter().cloned());
        self.step("tests with browser and peers", command, Count::Inside);
        self.link();
        self.size();
        match wasm::commands() {
            Ok(commands) => {
                for (title, command) in commands {
                    self.step(&title, command, Count::Inside);
                }
            }
            Err(error) => self.broken("tests in the browser", &error),
        }
    }

    /// Two tests: that the core links, and that no function of it calls a panic.
    fn link(&mut self) {
        match link::link() {
            Ok(linked) => {
                println!("core: {} bytes of flash on {}", linked.flash, targets::CORTEX_M0);
                for name in &linked.panics {
                    println!("core: this can panic: {name}");
                }
                self.add(Counts::one(true));
                self.one("the core without panics", linked.panics.is_empty());
            }
            Err(error) => self.broken("linking the core", &error),
        }
    }

    /// One test: that every bootloader is within its budget.
    fn size(&mut self) {
        match crate::firmware::size::print(false) {
            Ok(sizes) => self.one("sizes of bootloaders", sizes.are_kept),
            Err(error) => self.broken("sizes of bootloaders", &error),
        }
    }

    /// Runs one program and adds its counts. Whatever fails without counts is one failure.
    fn step(&mut self, title: &str, mut command: Command, count: Count) {
        let mut step = Step::start(title);
        let log = project::log(&format!(
            "test-{}",
            title.replace(|c: char| !c.is_ascii_alphanumeric(), "-")
        ));
        let outcome = match step.run(&mut command, &log, Some(LIMIT)) {
            Ok(outcome) => outcome,
            Err(error) => return self.broken(title, &error),
        };
        let counts = match count {
            Count::Whole => Counts::one(outcome.success),
            Count::Inside => Counts::read(&outcome.text()).with_exit(outcome.success),
        };
        if !outcome.success {
            let text = outcome.text();
            println!("{}\n(all of it: {})", counts::failures(&text), log.display());
            let names = counts::failed_tests(&text);
            if names.is_empty() {
                self.failed.push(title.to_owned());
            }
            self.failed
                .extend(names.iter().map(|name| format!("{title}: {name}")));
        }
        step.done(&counts.to_string());
        self.add(counts);
    }

    /// Something that is one test as a whole.
    fn one(&mut self, title: &str, passed: bool) {
        if !passed {
            self.failed.push(title.to_owned());
        }
        self.add(Counts::one(passed));
    }

    fn broken(&mut self, title: &str, error: &anyhow::Error) {
        println!("{title}: {error:#}");
        self.one(title, false);
    }

    fn add(&mut self, counts: Counts) {
        self.total = self.total + counts;
    }
}
