//! What a person meets in the field: a board that remembers, one whose battery is low, one whose firmware was damaged.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::{board, choose_demo, open, pictures, simulate};
use crate::{Browser, SOON};

/// A golden image is restored at the speed of flash.
const RESTORE: Duration = Duration::from_secs(40);

/// Waits until the board's last update shows with this ending (`data-ending`), and gives its text.
///
/// # Errors
/// When it does not.
pub fn newest(page: &Browser, ending: &str) -> Result<String> {
    page.wait(&format!("the last update to show as {ending}"), SOON, |page| {
        let script = "const e = document.querySelector('[data-testid=history] li');
            return e ? [e.dataset.ending, e.innerText.replace(/\\s+/g, ' ')] : null";
        let found = page.run(script, &[])?;
        let (is, text) = (found[0].as_str(), found[1].as_str());
        Ok((is == Some(ending)).then(|| text.unwrap_or_default().to_owned()))
    })
}

/// A battery that is too low refuses the update, and a damaged image is replaced by the golden one, on the page's
/// simulated board. Pictures go to `folder`.
///
/// # Errors
/// What the page does not show.
pub fn check(page: &mut Browser, url: &str, folder: &Path, say: &mut dyn FnMut(String)) -> Result<()> {
    open(page, url)?;
    choose_demo(page, "7.28")?;
    simulate(page, "LowBattery")?;
    let low = page.text_of("supply-low")?;
    ensure!(low.contains("3.30 V"), "the limit is not named: {low:?}");
    pictures(page, folder, "field-1-battery")?;
    ensure!(
        page.attribute_of("update", "disabled")?.is_some() && page.shows("check-again")?,
        "a board that refuses for lack of power is offered an update"
    );
    page.no_errors()?;
    say(format!(
        "        field  battery        {}",
        low.replace('\n', " ")
    ));

    open(page, url)?;
    choose_demo(page, "7.28")?;
    let option = page.find("[data-testid=behaviour] option[value=Damaged]")?;
    page.click(&option)?;
    page.press("simulate")?;
    page.wait("the golden image", RESTORE, |page| {
        Ok(page.shows("board-running")?.then_some(()))
    })?;
    board(page)?;
    let newest = newest(page, "golden")?;
    ensure!(
        newest.contains("was damaged") && newest.contains("backup copy"),
        "{newest:?}"
    );
    pictures(page, folder, "field-2-golden")?;
    page.no_errors()?;
    say(format!("        field  golden image   {newest}"));
    Ok(())
}
