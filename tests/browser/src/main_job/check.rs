//! The whole main job, as `cargo xtask run --check` and the end-to-end tests do it.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};

use super::field;
use super::steps::{End, SIZES, choose_demo, open, patched, pictures, simulate, update};
use crate::{Browser, Folder, Scheme};

/// The whole main job in the page at `url`, on the simulated board: an update that is confirmed, and in a second
/// browser at the same time (they mostly wait for flash) one whose new firmware crashes and is rolled back. Prints each
/// step with its figure; pictures go to `folder`.
///
/// # Errors
/// What went wrong in which step.
pub fn check(url: &str, folder: &Path) -> Result<()> {
    let one = |behaviour: &str, end: End, say: &mut dyn FnMut(String)| -> Result<()> {
        let profile = Folder::new(&format!("profile-{}", end.mark()))?;
        let mut page = Browser::start_at(&profile.path().join("profile"), url)?;
        check_one(&mut page, url, folder, behaviour, end, say)?;
        if end == End::RolledBack {
            field::check(&mut page, url, folder, say)?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let rollback = scope.spawn(|| {
            let mut lines = Vec::new();
            let result = one("Crashes", End::RolledBack, &mut |line| lines.push(line));
            (lines, result.context("the rollback"))
        });
        let update = one("Works", End::Confirmed, &mut |line| println!("{line}")).context("the update");
        let (lines, rollback) = rollback
            .join()
            .map_err(|_| anyhow!("the rollback's check panicked"))?;
        lines.iter().for_each(|line| println!("{line}"));
        update.and(rollback)
    })
}

/// One half of [`check`]: new firmware of this behaviour, and how that is to end.
///
/// # Errors
/// What went wrong in which step.
pub fn check_one(
    page: &mut Browser,
    url: &str,
    folder: &Path,
    behaviour: &str,
    end: End,
    say: &mut dyn FnMut(String),
) -> Result<()> {
    let mut number = 0;
    let mut begun = Instant::now();
    let mut step = |page: &mut Browser, name: &str, figure: &str| -> Result<()> {
        number += 1;
        let took = begun.elapsed().as_secs_f32();
        let figure: Vec<_> = figure.split_whitespace().collect();
        say(format!(
            "  {:>11}  {name:<14} {took:>6.2} s  {}",
            end.mark(),
            figure.join(" ")
        ));
        let file = format!("{}-{number}-{}", end.mark(), name.replace(' ', "-"));
        pictures(page, folder, &file)?;
        page.no_errors()?;
        begun = Instant::now();
        Ok(())
    };
    page.look(SIZES[0].0, SIZES[0].1, Scheme::Light)?;
    open(page, url)?;
    step(page, "page", url)?;
    choose_demo(page, "7.28")?;
    let signer = page.text_of("image-signer")?;
    step(page, "image verified", &signer)?;
    let runs = simulate(page, behaviour)?;
    // It has seen what the board comes with.
    let sends = patched(page)?;
    step(page, "board", &format!("{runs}; {sends}"))?;
    ensure!(
        runs.contains("7.27"),
        "the simulated board is to run 7.27.0 first; it says {runs:?}"
    );
    let seen = update(page, end, Duration::from_secs(180), &mut step)?;
    ensure!(!seen.progress.is_empty(), "no progress showed");
    seen.only_forwards()?;
    let runs = page.text_of("board-running")?;
    let expected = if end == End::Confirmed { "7.28" } else { "7.27" };
    ensure!(
        runs.contains(expected),
        "afterwards the page says that the board runs {runs:?}"
    );
    let ending = if end == End::Confirmed { "good" } else { "back" };
    let remembered = field::newest(page, ending)?;
    step(page, "remembered", &remembered)?;
    Ok(())
}
