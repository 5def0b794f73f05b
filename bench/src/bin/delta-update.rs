//! `cargo xtask bench delta-update`: primehub from 7.27.0 to 7.28.0 in a real Chromium over its real Web Serial, to a
//! simulated board behind 115200 baud, in real time: by patch against in full, in bytes on the wire and from the click
//! to the confirmation.

use std::time::Duration;

use anyhow::Result;
use bootlace_browser::Browser;
use bootlace_tests::page_update::{self, Taken, Wanted};
use bootlace_tests::serve::Site;
use bootlace_tests::tools::{self, Fixtures};
use bootlace_tests::{namespace, runner};

const ORIGIN: &str = "http://localhost:8080";

fn main() -> Result<()> {
    let page = tools::required("BOOTLACE_DIST")?;
    let cli = tools::cli()?;
    runner::share_out(1, &[("BOOTLACE_CLI", &cli)])?;
    let namespace = namespace::enter(&[ORIGIN], Duration::from_secs(600))?;
    let _site = Site::start(&page, 8080)?;
    let fixtures = Fixtures::new(&namespace.scratch().join("fixtures"))?;
    let mut page = Browser::start_at(&namespace.scratch().join("profile"), ORIGIN)?;
    page.run("return (await navigator.serial.getPorts()).length", &[])?;
    let mut taken = |name, wanted| page_update::run(&mut page, ORIGIN, &fixtures, name, wanted, &[]);
    let patch = taken("ttyACM1", Wanted::Patch)?;
    let whole = taken("ttyACM2", Wanted::Whole)?;
    print("patch", &patch);
    print("whole", &whole);
    let ratio = |patch: f64, whole: f64| patch / whole.max(1.0);
    let bytes = |taken: &Taken| (taken.to_board + taken.from_board) as f64;
    println!(
        "wire-bytes-of-whole {:.4} share <= 0.05",
        ratio(bytes(&patch), bytes(&whole))
    );
    println!(
        "click-to-confirmed-of-whole {:.3} share <= 0.75",
        ratio(patch.seen.took.as_secs_f64(), whole.seen.took.as_secs_f64())
    );
    page.no_errors()
}

fn print(name: &str, taken: &Taken) {
    println!("{name}: “{}”", taken.said);
    println!("{name}-to-board {} bytes", taken.to_board);
    println!("{name}-from-board {} bytes", taken.from_board);
    println!("{name}-click-to-confirmed {:.1} s", taken.seen.took.as_secs_f64());
}
