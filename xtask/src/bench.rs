//! `cargo xtask bench NAME`: measurements, each figure against its bound.
//!
//! A bench is a program of this workspace, built in release mode. It prints one line a figure, `NAME VALUE UNIT`, and
//! where there is a bound ` <= BOUND` or ` >= BOUND` after it; other lines are passed on as they are. To add one, write
//! the program and add its line to [`BENCHES`].

use std::fmt::Write as _;

use anyhow::{Result, bail};

use crate::process::Step;
use crate::{project, run, setup};

struct Bench {
    name: &'static str,
    about: &'static str,
    package: &'static str,
    /// The program in the package.
    program: &'static str,
    /// It opens the page, which is built first.
    page: bool,
    /// Its own flags, each with a value.
    takes: &'static [&'static str],
}

const BENCHES: &[Bench] = &[
    Bench {
        name: "link",
        about: "an upload against the line's capacity, the flash's time and smpclient (about 4 minutes)",
        package: "bootlace-bench",
        program: "link",
        page: false,
        takes: &[],
    },
    Bench {
        name: "delta",
        about: "patches against those of other programs; --pairs DIR, from the project's folder, for other images (about a minute)",
        package: "bootlace-bench",
        program: "delta",
        page: false,
        takes: &["--pairs"],
    },
    Bench {
        name: "delta-web",
        about: "making patches in the page, in Chromium, against the native encoder (about a minute)",
        package: "bootlace-bench",
        program: "delta-web",
        page: true,
        takes: &[],
    },
    Bench {
        name: "delta-update",
        about: "updates over Web Serial at 115200 baud, by patch and in full (about 3 minutes)",
        package: "bootlace-bench",
        program: "delta-update",
        page: true,
        takes: &[],
    },
    Bench {
        name: "cuts",
        about: "power cuts at every flash operation (about 8 minutes); --only WORDS for some, --seed N for other cuts",
        package: "bootlace-cuts",
        program: "cuts",
        page: false,
        takes: &["--only", "--seed"],
    },
    Bench {
        name: "faults",
        about: "skipped instructions in the emulated board's bootloader (about 40 minutes); --only WORDS for some, --every N for each Nth",
        package: "bootlace-tests",
        program: "faults",
        page: false,
        takes: &["--only", "--every"],
    },
    Bench {
        name: "mutants",
        about: "mistakes in the core that the sweep of power cuts must catch (about 5 minutes)",
        package: "bootlace-cuts",
        program: "mutants",
        page: false,
        takes: &[],
    },
];

/// What is wanted of a bench besides its table.
#[derive(Clone, Copy, Default)]
pub(crate) struct Options {
    /// Print JSON instead of a table.
    pub(crate) json: bool,
    /// Fail when a figure breaks its bound.
    pub(crate) check: bool,
}

impl Options {
    /// The options of a command that takes no others.
    pub(crate) fn parse(command: &str, flags: &[&str]) -> Result<Self> {
        let mut options = Self::default();
        for flag in flags {
            match *flag {
                "--json" => options.json = true,
                "--check" => options.check = true,
                other => bail!("{command} does not take {other}"),
            }
        }
        Ok(options)
    }
}

/// The benches there are, for the help.
pub(crate) fn list() -> String {
    BENCHES.iter().fold(String::new(), |mut text, bench| {
        let _ = writeln!(text, "  bench {:<14}{}", bench.name, bench.about);
        text
    })
}

/// Runs a bench; says whether all is well.
pub(crate) fn measure(name: &str, flags: &[&str]) -> Result<bool> {
    let Some(bench) = BENCHES.iter().find(|bench| bench.name == name) else {
        bail!("no such bench: {name}; there are:\n{}", list());
    };
    let mut options = Options::default();
    let mut own = Vec::new();
    let mut flags = flags.iter();
    while let Some(flag) = flags.next() {
        match *flag {
            "--json" => options.json = true,
            "--check" => options.check = true,
            flag if bench.takes.contains(&flag) => match flags.next() {
                Some(value) => own.extend([flag, value]),
                None => bail!("{flag} needs a value"),
            },
            other => bail!("bench {name} does not take {other}"),
        }
    }
    let tools = setup::environment()?;
    if bench.page {
        run::build()?;
    }
    let mut step = Step::start(&format!("bench {name}"));
    let mut command = project::program(bench.package, bench.program);
    command.args(own).envs(tools);
    let outcome = step.run(&mut command, &project::log(&format!("bench-{name}")), None)?;
    let outcome = outcome.require(&format!("bench {name}"))?;
    step.done("measured");
    report(name, &outcome.text(), options)
}

/// Prints figures, or what a bench says with its figures in it; says whether all is well.
pub(crate) fn report(name: &str, text: &str, options: Options) -> Result<bool> {
    let figures: Vec<Figure> = text.lines().filter_map(Figure::parse).collect();
    if figures.is_empty() {
        bail!("bench {name} printed no figure");
    }
    if options.json {
        println!("{}", json(name, &figures));
    } else {
        print!("{text}");
    }
    let broken: Vec<&Figure> = figures.iter().filter(|figure| !figure.holds()).collect();
    for figure in &broken {
        eprintln!(
            "out of bounds: {} is {} {}",
            figure.name, figure.value, figure.unit
        );
    }
    Ok(broken.is_empty() || !options.check)
}

#[derive(Debug, PartialEq)]
struct Figure {
    name: String,
    value: f64,
    unit: String,
    bound: Option<Bound>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Figure {
    fn parse(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (figure, bound) = match words.as_slice() {
            [figure @ .., "<=", bound] => (figure, Some(Bound::AtMost(number(bound)?))),
            [figure @ .., ">=", bound] => (figure, Some(Bound::AtLeast(number(bound)?))),
            figure => (figure, None),
        };
        let [name, value, unit] = figure else { return None };
        Some(Self {
            name: (*name).to_owned(),
            value: number(value)?,
            unit: (*unit).to_owned(),
            bound,
        })
    }

    fn holds(&self) -> bool {
        match self.bound {
            None => true,
            Some(Bound::AtMost(bound)) => self.value <= bound,
            Some(Bound::AtLeast(bound)) => self.value >= bound,
        }
    }
}

/// A finite number: JSON has no others.
fn number(word: &str) -> Option<f64> {
    word.parse().ok().filter(|value: &f64| value.is_finite())
}

fn json(bench: &str, figures: &[Figure]) -> String {
    let figures: Vec<String> = figures
        .iter()
        .map(|figure| {
            let bound = match figure.bound {
                None => String::new(),
                Some(Bound::AtMost(bound)) => format!(r#","at_most":{bound}"#),
                Some(Bound::AtLeast(bound)) => format!(r#","at_least":{bound}"#),
            };
            // Names and units are words of our own programs; quoting them the Rust way is JSON's for plain text.
            let Figure {
                name, value, unit, ..
            } = figure;
            format!(
                r#"{{"name":{name:?},"value":{value},"unit":{unit:?}{bound},"holds":{}}}"#,
                figure.holds()
            )
        })
        .collect();
    format!(r#"{{"bench":{bench:?},"figures":[{}]}}"#, figures.join(","))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_told_from_prose() {
        assert_eq!(Figure::parse("a 256 KB upload, 2 KB frames"), None);
        let figure = Figure::parse("cobs-115200 96.2 % >= 95").unwrap();
        assert_eq!(
            (figure.name.as_str(), figure.value, figure.unit.as_str()),
            ("cobs-115200", 96.2, "%")
        );
        assert_eq!(figure.bound, Some(Bound::AtLeast(95.0)));
    }

    #[test]
    fn a_broken_bound_is_seen() {
        for (line, holds) in [
            ("a 95 % >= 95", true),
            ("a 94.9 % >= 95", false),
            ("b 3.2 passes <= 3.1", false),
            ("c 9 s", true),
        ] {
            assert_eq!(Figure::parse(line).unwrap().holds(), holds, "{line}");
        }
    }

    #[test]
    fn json_carries_bounds() {
        let figures = [Figure::parse("a 2 s <= 3").unwrap()];
        let text =
            r#"{"bench":"link","figures":[{"name":"a","value":2,"unit":"s","at_most":3,"holds":true}]}"#;
        assert_eq!(json("link", &figures), text);
    }
}
