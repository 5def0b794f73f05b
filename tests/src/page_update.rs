//! An update over real Web Serial to a board at the end of a slow line, by a patch or in full, and what it took.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bootlace_browser::main_job::{self, End, Seen};
use bootlace_browser::{Browser, SOON};

use crate::cabled::CabledBoard;
use crate::serial::Way;
use crate::tools::{Algorithm, Fixtures};

/// What is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// What changed: the browser has seen what the board runs.
    Patch,
    /// The whole image, by the switch, though the browser has seen what the board runs.
    Whole,
    /// Whatever the page does when the browser has never seen what the board runs.
    Unseen,
}

/// What an update took.
#[derive(Clone, Debug, PartialEq)]
pub struct Taken {
    /// Bytes on the wire to the board, everything counted.
    pub to_board: u64,
    /// And from it.
    pub from_board: u64,
    /// What the page said that it would send.
    pub said: String,
    /// What it showed, and how long it took from the click to the confirmation.
    pub seen: Seen,
}

/// Brings a board that runs primehub 7.27.0 to 7.28.0 in the page at `url`. `name` is the kernel's for its port, `more`
/// goes to the simulator.
///
/// # Errors
/// When it does not end confirmed, or sends something else.
pub fn run(
    page: &mut Browser,
    url: &str,
    fixtures: &Fixtures,
    name: &str,
    wanted: Wanted,
    more: &[&str],
) -> Result<Taken> {
    let signed = |version| fixtures.signed("primehub", version, Algorithm::P256);
    let ((old, key), (new, _)) = (signed("7.27.0")?, signed("7.28.0")?);
    forget(page, url)?;
    main_job::trust(page, &key)?;
    if wanted != Wanted::Unseen {
        main_job::choose_file(page, &old)?;
        page.wait("the image to be kept", SOON, |page| {
            Ok((page.all("[data-testid=kept-image]")?.len() == 1).then_some(()))
        })?;
    }
    main_job::choose_file(page, &new)?;
    let text = |path: &Path| path.to_str().map(str::to_owned).context("a path is not UTF-8");
    let (image, trusted) = (text(&old)?, text(&key)?);
    let mut arguments = vec!["--image", &image, "--key", &trusted, "--baud", "115200"];
    arguments.extend_from_slice(more);
    let bench = CabledBoard::new(fixtures.folder(), name, Way::Relayed, &arguments)?;
    main_job::board(page)?;
    let said = match wanted {
        Wanted::Unseen => sends(page, "unseen")?,
        Wanted::Patch => main_job::patched(page)?,
        Wanted::Whole => {
            main_job::patched(page)?;
            page.press("whole")?;
            sends(page, "whole")?
        }
    };
    let before = bench.cable()?.traffic();
    let seen = main_job::update(page, End::Confirmed, Duration::from_secs(180), &mut |_, _, _| {
        Ok(())
    })?;
    let after = bench.cable()?.traffic();
    seen.only_forwards()?;
    let runs = main_job::board(page)?;
    ensure!(runs.contains("7.28.0"), "afterwards it runs {runs}");
    Ok(Taken {
        to_board: after.0 - before.0,
        from_board: after.1 - before.1,
        said,
        seen,
    })
}

fn sends(page: &Browser, what: &str) -> Result<String> {
    page.wait(&format!("{what} to be sent"), SOON, |page| {
        let sends = page.attribute_of("sends", "data-sends")?;
        Ok((sends.as_deref() == Some(what)).then_some(()))
    })?;
    page.text_of("sends")
}

/// Trusts the demonstration's key, whose private half is published, so that the key alone is not enough.
///
/// # Errors
/// When the page does not show it.
pub fn trust_demonstration(page: &Browser) -> Result<()> {
    let key = Path::new(env!("CARGO_MANIFEST_DIR")).join("../firmware-companion/boards/keys/demo.pub.pem");
    main_job::trust(page, &key)?;
    let switch = "document.querySelector('[data-testid=development-keys]').click()";
    page.run(switch, &[]).map(drop)
}

/// Waits until more than this many bytes have been sent; returns how many.
///
/// # Errors
/// When they are not sent within `limit`.
pub fn part_sent(page: &Browser, more_than: u64, limit: Duration) -> Result<u64> {
    page.wait("a part of the upload", limit, |page| {
        let done = page.attribute_of("progress", "data-done")?;
        let done = done.and_then(|done| done.parse::<u64>().ok());
        Ok(done.filter(|&done| done > more_than))
    })
}

/// Opens the page as one that was never opened in this browser.
///
/// # Errors
/// When it does not come up.
pub fn forget(page: &Browser, url: &str) -> Result<()> {
    page.open(url)?;
    page.run(
        "localStorage.clear(); for (const name of await caches.keys()) await caches.delete(name)",
        &[],
    )?;
    main_job::open(page, url)
}
