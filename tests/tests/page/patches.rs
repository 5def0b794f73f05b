//! Updates by what changed, and the images that the browser keeps for that.

use std::time::Duration;

use anyhow::{Result, ensure};
use bootlace_browser::Browser;
use bootlace_browser::main_job;
use bootlace_tests::page_update::{self, Wanted};
use bootlace_tests::tools::Algorithm;

use super::{ORIGIN, Stage};

/// 115200 baud, eight times as fast as a real one.
const FAST: [&str; 2] = ["--speed", "8"];

/// By patch and in full, the same update to the same kind of board.
pub(super) fn only_what_changed(stage: &mut Stage) -> Result<()> {
    let mut taken = |wanted| {
        stage.boards += 1;
        let name = format!("ttyACM{}", stage.boards);
        page_update::run(&mut stage.browser, ORIGIN, &stage.fixtures, &name, wanted, &FAST)
    };
    let patch = taken(Wanted::Patch)?;
    let whole = taken(Wanted::Whole)?;
    for (name, taken) in [("patch", &patch), ("whole", &whole)] {
        println!(
            "  {name}: {} bytes to the board, {} from it, {:.1} s: {}",
            taken.to_board,
            taken.from_board,
            taken.seen.took.as_secs_f32(),
            taken.said
        );
    }
    ensure!(
        20 * (patch.to_board + patch.from_board) < whole.to_board + whole.from_board,
        "a patch takes {} bytes, the image {}",
        patch.to_board + patch.from_board,
        whole.to_board + whole.from_board
    );
    ensure!(patch.said.contains("6 KB instead of 291 KB"), "{}", patch.said);
    ensure!(
        patch
            .seen
            .outcome
            .contains("Only what changed was sent: 6 KB instead of 291 KB"),
        "{}",
        patch.seen.outcome
    );
    ensure!(!whole.seen.outcome.contains("instead"), "{}", whole.seen.outcome);
    Ok(())
}

pub(super) fn unknown_base(stage: &mut Stage) -> Result<()> {
    stage.boards += 1;
    let name = format!("ttyACM{}", stage.boards);
    let taken = page_update::run(
        &mut stage.browser,
        ORIGIN,
        &stage.fixtures,
        &name,
        Wanted::Unseen,
        &["--speed", "20"],
    )?;
    println!("  {}", taken.said);
    ensure!(
        taken.said.contains("No copy of 7.27.0") && taken.to_board > 290_000,
        "{} bytes: {}",
        taken.to_board,
        taken.said
    );
    Ok(())
}

/// They outlive the page, and go when they are told to.
pub(super) fn kept_images(stage: &mut Stage) -> Result<()> {
    stage.open_with("movehub", "7.28.0", Algorithm::P256)?;
    let (old, _) = stage.fixtures.signed("movehub", "7.27.0", Algorithm::P256)?;
    let page = &stage.browser;
    main_job::choose_file(page, &old)?;
    let kept = |page: &Browser, count: usize| {
        page.wait(&format!("{count} kept images"), Duration::from_secs(5), |page| {
            Ok((page.all("[data-testid=kept-image]")?.len() == count).then_some(()))
        })
    };
    kept(page, 2)?;
    main_job::open(page, ORIGIN)?;
    kept(page, 2)?;
    page.click(&page.find("[data-testid=kept] summary")?)?;
    page.click(&page.find("[data-testid=kept-image] button")?)?;
    kept(page, 1)?;
    page.press("forget-all")?;
    kept(page, 0)?;
    main_job::open(page, ORIGIN)?;
    kept(page, 0)
}
