//! Set-up, run, test, bench and size: one command each.

mod audit;
mod bench;
mod firmware;
mod fuzz;
mod house;
mod process;
mod project;
mod run;
mod setup;
mod test;

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use bench::Options;
use test::Extent;

const HELP: &str = "\
cargo xtask COMMAND

  run                 build the page, serve it on http://localhost:8080 and say what to do next
  run --port N        the same on another port
  run --check         drive that page through the whole main job in headless Chromium
  dist                build the page with all that it loads later into dist/, to be served from any place
  test                every test there is; ends in one line `N passed, N failed`
  test --quick        leave out what needs a browser, a peer or an emulator
  firmware            build bootloaders and example applications for chips into target/firmware
  audit               known advisories against crates and packages of npm and PyPI
  house               files of more than 500 lines, and files of a crate that import each other (--json, --check)
  size                what the bootloaders take of their chips, and which crates take it (--json, --check)
  setup               fetch and build the tools, nothing else (the others do it when needed)
  cuts                the same as `bench cuts`; --mutants: the same as `bench mutants`
  faults              the same as `bench faults`
  fuzz [TARGET]       fuzz what takes bytes from outside (--runs N, --keep to keep what it finds, --json, --check)
{benches}  env                 print the variables that tests look for, as `export` lines

Tools are kept in ${BOOTLACE_CACHE:-~/.cache/bootlace}, one folder a version.
";

fn help() -> String {
    HELP.replace("{benches}", &bench::list())
}

fn main() -> ExitCode {
    if let Some(code) = firmware::compiler::run_if_called() {
        return code;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match dispatch(&words) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(words: &[&str]) -> Result<ExitCode> {
    match words {
        ["setup"] => setup::everything()?,
        ["env"] => setup::print_environment()?,
        ["run"] => run::serve(8080)?,
        ["run", "--check"] => return run::check().map(exit),
        ["run", "--port", port] => run::serve(port.parse().context("--port takes a number")?)?,
        ["dist"] => return run::publish().map(exit),
        ["test"] => return test::all(Extent::Full).map(exit),
        ["test", "--quick"] => return test::all(Extent::Quick).map(exit),
        ["firmware"] => println!("{}", firmware::build()?.display()),
        ["audit"] => return audit::run().map(exit),
        ["house", flags @ ..] => return house::print(Options::parse("house", flags)?).map(exit),
        ["size", flags @ ..] => {
            let options = Options::parse("size", flags)?;
            let sizes = firmware::size::print(options.json)?;
            return Ok(exit(sizes.have_reached || !options.check));
        }
        ["cuts", "--mutants", flags @ ..] => return bench::measure("mutants", flags).map(exit),
        ["faults", flags @ ..] => return bench::measure("faults", flags).map(exit),
        ["fuzz", words @ ..] => return fuzz::run(words).map(exit),
        ["cuts", flags @ ..] => return bench::measure("cuts", flags).map(exit),
        ["bench", name, flags @ ..] => return bench::measure(name, flags).map(exit),
        [] | ["help" | "--help" | "-h"] => print!("{}", help()),
        _ => bail!("no such command: {}\n\n{}", words.join(" "), help()),
    }
    Ok(ExitCode::SUCCESS)
}

fn exit(well: bool) -> ExitCode {
    if well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
