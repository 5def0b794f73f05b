//! The steps of the main job, each as a person does it: choose an image, connect a board, update, see the outcome.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use serde_json::json;

use crate::{Browser, SOON, Scheme};

/// Widths in CSS pixels at which the page is looked at: a laptop, a telephone.
pub const SIZES: [(u32, u32); 2] = [(1280, 900), (390, 844)];

/// How an update is to end, as the page marks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The new image runs and is confirmed.
    Confirmed,
    /// The board went back to the image before.
    RolledBack,
    /// The board runs what it ran.
    Unchanged,
    /// A named error.
    Failed,
}

impl Seen {
    /// Fails if progress ever went backwards.
    ///
    /// # Errors
    /// From what to what it went back.
    pub fn only_forwards(&self) -> Result<()> {
        for pair in self.progress.windows(2) {
            ensure!(
                pair[0] <= pair[1],
                "progress went back from {} to {} bytes",
                pair[0],
                pair[1]
            );
        }
        Ok(())
    }
}

impl End {
    /// The value of `data-outcome`.
    pub fn mark(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::RolledBack => "rolled-back",
            Self::Unchanged => "unchanged",
            Self::Failed => "failed",
        }
    }
}

/// Called after each step with its name and what was seen.
pub type OnStep<'a> = &'a mut dyn FnMut(&mut Browser, &str, &str) -> Result<()>;

/// What an update showed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// The phases in the order in which they showed; a short one may be missed.
    pub phases: Vec<String>,
    /// The acknowledged bytes that showed.
    pub progress: Vec<u64>,
    /// The text of the outcome.
    pub outcome: String,
    /// From the click on the button to the outcome.
    pub took: Duration,
}

/// Opens the page and waits until it takes commands.
///
/// # Errors
/// When it does not come up.
pub fn open(page: &Browser, url: &str) -> Result<()> {
    page.open(url)?;
    ready(page)
}

/// Waits until the page takes commands.
///
/// # Errors
/// When it does not come up.
pub fn ready(page: &Browser) -> Result<()> {
    page.wait("the page to be ready", SOON, |page| {
        let script = "const b = document.querySelector('[data-testid=simulate], [data-testid=board-card]');
            return !!b && !b.disabled";
        Ok((page.run(script, &[])? == json!(true)).then_some(()))
    })
}

/// Chooses the demo image whose file name contains `part` and waits until the page has judged it.
///
/// # Errors
/// When there is none, or no verdict comes.
pub fn choose_demo(page: &Browser, part: &str) -> Result<String> {
    let css = format!("[data-testid=\"demo-image\"][data-file*=\"{part}\"]");
    page.click(&page.find(&css)?)?;
    judged(page, part)
}

/// Chooses a file and waits until the page has judged it, or refused it.
///
/// # Errors
/// When no verdict comes.
pub fn choose_file(page: &Browser, file: &Path) -> Result<String> {
    page.choose_file(&page.test_id("choose-image")?, file)?;
    let name = file
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    judged(page, name)
}

fn judged(page: &Browser, name: &str) -> Result<String> {
    page.wait(&format!("the verdict on {name}"), SOON, |page| {
        let script = "const e = document.querySelector('[data-testid=choose-image]')?.closest('section');
            return e?.querySelector('[data-testid=image-card], [data-testid=error]') && e.innerText";
        let text = page.run(script, &[])?;
        Ok(text
            .as_str()
            .filter(|text| text.contains(name))
            .map(str::to_owned))
    })
}

/// Adds a public key (PEM file) to those that the page trusts.
///
/// # Errors
/// When the page does not take it.
pub fn trust(page: &Browser, key: &Path) -> Result<()> {
    let count = "return document.querySelectorAll('.key__hash').length";
    let before = page.run(count, &[])?.as_u64();
    page.choose_file(&page.find("[data-testid=add-key]")?, key)?;
    page.wait("the key to be taken", SOON, |page| {
        Ok((page.run(count, &[])?.as_u64() > before).then_some(()))
    })
}

/// The problems that the page shows now: each one's name and text.
///
/// # Errors
/// When the browser is gone.
pub fn problems(page: &Browser) -> Result<Vec<(String, String)>> {
    let script = "return [...document.querySelectorAll('[data-testid=error]')]
        .map(e => [e.dataset.error ?? '', e.innerText])";
    let found = page.run(script, &[])?;
    let pair = |one: &serde_json::Value| Some((one[0].as_str()?.to_owned(), one[1].as_str()?.to_owned()));
    Ok(found.as_array().into_iter().flatten().filter_map(pair).collect())
}

/// Waits for a problem of one of these names and gives its text, which must hold more than one sentence: what is
/// wrong, and what to do next.
///
/// # Errors
/// When it does not show in time.
pub fn problem(page: &Browser, names: &[&str], limit: Duration) -> Result<String> {
    let text = page.wait(&format!("the problem {}", names.join(" or ")), limit, |page| {
        let found = problems(page)?
            .into_iter()
            .find(|(name, _)| names.contains(&name.as_str()));
        Ok(found.map(|(_, text)| text))
    })?;
    let sentences = text
        .split(['.', '?', '!'])
        .filter(|part| part.trim().len() > 3)
        .count();
    ensure!(sentences >= 2, "this does not say what to do next: {text:?}");
    Ok(text)
}

/// Plugs in a simulated board whose new firmware behaves like this (`Works`, `NeverConfirms`, `Crashes`, `Hangs`,
/// `NoPort`, `LowBattery`) and waits until it has said who it is.
///
/// # Errors
/// When it does not show.
pub fn simulate(page: &Browser, behaviour: &str) -> Result<String> {
    let option = page.find(&format!("[data-testid=behaviour] option[value={behaviour}]"))?;
    page.click(&option)?;
    page.press("simulate")?;
    board(page)
}

/// Waits until a board has said who it is; gives what the page says that it runs.
///
/// # Errors
/// When none shows.
pub fn board(page: &Browser) -> Result<String> {
    page.wait("the board", SOON, |page| {
        Ok(page.shows("board-running")?.then_some(()))
    })?;
    page.text_of("board-running")
}

/// Presses the button and watches the update to its outcome, which is to be `end`. `on_step` gets "progress" once,
/// in the middle of the upload, and "outcome".
///
/// # Errors
/// When it ends otherwise, or not within `limit`.
pub fn update(page: &mut Browser, end: End, limit: Duration, on_step: OnStep<'_>) -> Result<Seen> {
    let start = Instant::now();
    page.press("update")?;
    watch(page, start, end, limit, on_step)
}

/// Watches an update that already runs; otherwise like [`update`].
///
/// # Errors
/// As [`update`].
pub fn watch(
    page: &mut Browser,
    start: Instant,
    end: End,
    limit: Duration,
    on_step: OnStep<'_>,
) -> Result<Seen> {
    let mut seen = Seen::default();
    let mut pictured = false;
    loop {
        let now = page.run(LOOK, &[])?;
        let phase = now["phase"].as_str();
        if let Some(phase) = phase.filter(|phase| seen.phases.last().map(String::as_str) != Some(phase)) {
            seen.phases.push(phase.to_owned());
        }
        let done = now["done"].as_str().and_then(|done| done.parse::<u64>().ok());
        if let Some(done) = done.filter(|_| phase == Some("Send")) {
            if seen.progress.last() != Some(&done) {
                seen.progress.push(done);
            }
            let total = now["total"]
                .as_str()
                .and_then(|total| total.parse().ok())
                .unwrap_or(0);
            if 3 * done > total && !pictured {
                pictured = true;
                let figure = now["figures"].as_str().unwrap_or_default().to_owned();
                on_step(page, "progress", &figure)?;
            }
        }
        if let Some(outcome) = now["outcome"].as_str() {
            seen.took = start.elapsed();
            seen.outcome = now["text"].as_str().unwrap_or_default().replace('\n', " ");
            let error = now["error"].as_str().unwrap_or_default();
            ensure!(
                outcome == end.mark(),
                "the update ended as {outcome} {error}, not as {}, after {:?}: {}",
                end.mark(),
                seen.phases,
                page.state()
            );
            let figure = format!("{} ({:.1} s)", seen.outcome, seen.took.as_secs_f32());
            on_step(page, "outcome", &figure)?;
            return Ok(seen);
        }
        if start.elapsed() > limit {
            bail!(
                "no outcome after {} s; phases {:?}; {}",
                limit.as_secs(),
                seen.phases,
                page.state()
            );
        }
        std::thread::sleep(Duration::from_millis(15));
    }
}

/// One look at the running update.
const LOOK: &str = "
    const e = id => document.querySelector(`[data-testid=${id}]`);
    const outcome = e('outcome'), progress = e('progress'), phase = e('phase');
    return {
        outcome: outcome?.dataset.outcome,
        text: outcome?.innerText,
        error: e('error')?.dataset.error,
        phase: phase?.dataset.phase,
        done: progress?.dataset.done,
        total: progress?.dataset.total,
        figures: progress?.closest('section')?.querySelector('.run__figures')?.innerText,
    };";

/// Takes a picture of the page at each size, light and dark, and leaves it wide and light.
///
/// # Errors
/// When a picture can't be taken, or the page is wider than its window.
pub fn pictures(page: &Browser, folder: &Path, name: &str) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for (width, height) in SIZES {
        for (scheme, mark) in [(Scheme::Light, "light"), (Scheme::Dark, "dark")] {
            page.look(width, height, scheme)?;
            let file = folder.join(format!("{name}-{width}-{mark}.png"));
            page.screenshot(&file)?;
            files.push(file);
        }
        let wide = page.run("return document.documentElement.scrollWidth", &[])?;
        ensure!(
            wide.as_u64() <= Some(width.into()),
            "the page is {wide} wide in a window of {width}"
        );
    }
    page.look(SIZES[0].0, SIZES[0].1, Scheme::Light)?;
    Ok(files)
}

/// Waits until the page says what a patch would save, and gives what it says.
///
/// # Errors
/// When it says something else, or nothing.
pub fn patched(page: &Browser) -> Result<String> {
    page.wait("the patch", SOON, |page| {
        let sends = page.attribute_of("sends", "data-sends")?;
        Ok((sends.as_deref() == Some("patch")).then_some(()))
    })?;
    page.text_of("sends")
}
