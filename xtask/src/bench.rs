//! `cargo xtask bench NAME`: measurements, each figure against its bound.
//!
//! A bench is a program of this workspace, built in release mode. It prints one line a figure, `NAME VALUE UNIT`, and
//! where there is a bound ` <= BOUND` or ` >= BOUND` after it; other lines are passed on as they are. To add one, write
//! the program and add its line to [`BENCHES`].

use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail};

use crate::process::Step;
use crate::{project, run, setup};

struct Bench {
    name: &'static str,
    /// The emulated board that `--board` names; without one, what the name alone means.
    board: Option<&'static str>,
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
        board: None,
        about: "an upload against the line's capacity, the flash's time and smpclient (about 4 minutes)",
        package: "bootlace-bench",
        program: "link",
        page: false,
        takes: &[],
    },
    Bench {
        name: "link",
        board: Some("rp2040"),
        about: "an upload to the emulated Raspberry Pi Pico's own binary against its flash's time, and smpclient (about 2 minutes)",
        package: "bootlace-bench",
        program: "pico-link",
        page: false,
        takes: &[],
    },
    Bench {
        name: "delta",
        board: None,
        about: "patches against those of other programs; --pairs DIR, from the project's folder, for other images (about a minute)",
        package: "bootlace-bench",
        program: "delta",
        page: false,
        takes: &["--pairs"],
    },
    Bench {
        name: "delta-web",
        board: None,
        about: "making patches in the page, in Chromium, against the native encoder (about a minute)",
        package: "bootlace-bench",
        program: "delta-web",
        page: true,
        takes: &[],
    },
    Bench {
        name: "delta-update",
        board: None,
        about: "updates over Web Serial at 115200 baud, by patch and in full (about 3 minutes)",
        package: "bootlace-bench",
        program: "delta-update",
        page: true,
        takes: &[],
    },
    Bench {
        name: "cuts",
        board: None,
        about: "power cuts at every flash operation, and damage to one slot (8 to 13 minutes); --only WORDS for some, --seed N for other cuts",
        package: "bootlace-cuts",
        program: "cuts",
        page: false,
        takes: &["--only", "--seed"],
    },
    Bench {
        name: "cuts",
        board: Some("rp2040"),
        about: "the same of an update on the emulated Raspberry Pi Pico's own binary (3 to 8 minutes); --every N for a sample, --again N second cuts",
        package: "bootlace-tests",
        program: "pico_cuts",
        page: false,
        takes: &["--every", "--again"],
    },
    Bench {
        name: "faults",
        board: None,
        about: "skipped instructions in the emulated board's bootloader (about 40 minutes); --only WORDS for some, --every N for each Nth",
        package: "bootlace-tests",
        program: "faults",
        page: false,
        takes: &["--only", "--every"],
    },
    Bench {
        name: "mutants",
        board: None,
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
        let _ = writeln!(text, "  bench {:<22}{}", bench.full_name(), bench.about);
        text
    })
}

impl Bench {
    /// As it is called on the command line.
    fn full_name(&self) -> String {
        let board = self.board.map(|board| format!(" --board {board}"));
        [self.name, board.as_deref().unwrap_or_default()].concat()
    }

    /// The bench of this name, for the board that the flags name, if they do; and the other flags.
    fn find<'f>(name: &str, flags: &[&'f str]) -> Result<(&'static Self, Vec<&'f str>)> {
        let (board, rest) = match flags.iter().position(|flag| *flag == "--board") {
            None => (None, flags.to_vec()),
            Some(at) => {
                let board = flags.get(at + 1).copied();
                let (before, after) = (flags.iter().take(at), flags.iter().skip(at + 2));
                (
                    Some(board.context("--board needs a value")?),
                    before.chain(after).copied().collect(),
                )
            }
        };
        let found = BENCHES
            .iter()
            .find(|bench| bench.name == name && bench.board == board);
        let wanted = board.map_or_else(|| name.to_owned(), |board| format!("{name} --board {board}"));
        let bench = found.with_context(|| format!("no such bench: {wanted}; there are:\n{}", list()))?;
        Ok((bench, rest))
    }
}

/// Runs a bench; says whether all is well.
pub(crate) fn measure(name: &str, flags: &[&str]) -> Result<bool> {
    let (bench, flags) = Bench::find(name, flags)?;
    let name = &bench.full_name();
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
    let outcome = step.run(
        &mut command,
        &project::log(&format!("bench-{}", bench.program)),
        None,
    )?;
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
    fn the_board_chooses_among_benches_of_one_name() {
        let found = |flags: &[&'static str]| {
            let (bench, rest) = Bench::find("cuts", flags).ok()?;
            Some((bench.program, rest))
        };
        assert_eq!(found(&["--check"]), Some(("cuts", vec!["--check"])));
        let flags = ["--every", "9", "--board", "rp2040", "--check"];
        assert_eq!(
            found(&flags),
            Some(("pico_cuts", vec!["--every", "9", "--check"]))
        );
        assert_eq!(found(&["--board", "z80"]), None);
        assert_eq!(found(&["--board"]), None);
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
