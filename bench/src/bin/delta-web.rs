//! `cargo xtask bench delta-web`: making patches in the page, in a real headless Chromium, against our own encoder as a
//! native program on the same images in the same run, and the longest task of the page's main thread meanwhile.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bootlace_bench as page_patches;
use bootlace_browser::Browser;
use bootlace_browser::Folder;
use bootlace_browser::main_job;
use bootlace_delta::make::{Options, make};
use bootlace_tests::serve::Site;
use bootlace_tests::tools;

/// Of a few runs the median counts.
const RUNS: usize = 5;
/// The largest firmware's pair, and all firmwares one after the other: about 0.3 and 1.1 MB.
const PAIRS: [(&str, &[&str], u32); 2] = [
    ("300kb", &["primehub"], 800),
    (
        "1mb",
        &["primehub", "essentialhub", "technichub", "cityhub", "movehub"],
        3000,
    ),
];
/// The most that the page may take of the native encoder's time.
const TIMES: f64 = 2.5;
/// The longest task of the main thread, in milliseconds.
const TASK: u32 = 50;

fn main() -> Result<()> {
    let firmware = tools::required("BOOTLACE_FIRMWARE")?;
    let site = Site::start(&tools::required("BOOTLACE_DIST")?, 0)?;
    let url = format!("{}/", site.origin());
    let profile = Folder::new("bench-delta-web")?;
    let mut page = Browser::start_at(&profile.path().join("profile"), &url)?;
    main_job::open(&page, &url)?;
    println!("from 7.27.0 to 7.28.0 of npm @pybricks/firmware; the median of {RUNS} runs each, by turns");
    for (name, boards, limit) in PAIRS {
        let (old, new) = (
            joined(&firmware, boards, "7.27.0")?,
            joined(&firmware, boards, "7.28.0")?,
        );
        let (mut web, mut starting, mut native) = (Vec::new(), Vec::new(), Vec::new());
        let mut bytes = 0;
        for _ in 0..RUNS {
            let made = page_patches::make(&page, &old, &new)?;
            let started = Instant::now();
            let patch = make(&old, &new, &Options::default());
            // The page applies what it made before it lets it out.
            let back = bootlace_delta::apply_to_vec(&old, &patch.bytes);
            native.push(started.elapsed());
            ensure!(back.as_ref() == Ok(&new), "the patch does not lead back");
            ensure!(
                made.patch == patch.bytes,
                "the page made another patch than we did"
            );
            bytes = made.patch.len();
            web.push(made.took);
            starting.push(made.whole - made.took);
        }
        let (web, native) = (median(web), median(native));
        println!("{name}: {} bytes, a patch of {bytes}", new.len());
        println!("page-{name} {:.0} ms <= {limit}", millis(web));
        println!("native-{name} {:.0} ms", millis(native));
        println!(
            "page-{name}-of-native {:.2} times <= {TIMES}",
            web.as_secs_f64() / native.as_secs_f64()
        );
        println!("starting-the-worker-{name} {:.0} ms", millis(median(starting)));
    }
    // Each time as somebody who opens the page: what the browser kept of the last time is no longer there.
    let mut longest = Vec::new();
    for _ in 0..RUNS {
        page.run(
            "for (const name of await caches.keys()) await caches.delete(name)",
            &[],
        )?;
        longest.push(page_patches::longest_task(&page, &url)?);
    }
    println!(
        "longest-main-thread-task {:.0} ms <= {TASK}",
        millis(median(longest))
    );
    page.no_errors()
}

fn joined(firmware: &Path, boards: &[&str], version: &str) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    for board in boards {
        let file = firmware.join(format!("{board}-{version}.bin"));
        all.extend(std::fs::read(&file).with_context(|| format!("{}", file.display()))?);
    }
    Ok(all)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
