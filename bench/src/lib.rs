//! Making patches in the page, timed from outside: its own worker in a real Chromium.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bootlace_browser::{Browser, main_job};
use serde_json::json;

/// What making a patch in the page took.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    /// From handing over the images to the patch.
    pub took: Duration,
    /// The same with starting the worker and loading its module.
    pub whole: Duration,
    /// The patch.
    pub patch: Vec<u8>,
}

/// Starts the worker that the page makes its patches in, as the page does, and hands it two images.
const MAKE: &str = "
    const bytes = text => Uint8Array.from(atob(text), c => c.charCodeAt(0));
    const pair = [...arguments].map(bytes);
    const begun = performance.now();
    return new Promise((resolve, reject) => {
        const maker = new Worker('worker.js', {type: 'module'});
        maker.postMessage({...globalThis.bootlace, entry: 'maker_main'});
        let handed;
        maker.onerror = error => reject(new Error(error.message));
        maker.onmessage = ({data}) => {
            if (data === true) {
                handed = performance.now();
                maker.postMessage(pair);
            } else if (data === null) {
                reject(new Error('it made no patch'));
            } else if (typeof data !== 'number') {
                const now = performance.now();
                maker.terminate();
                const patch = btoa(Array.from(data, byte => String.fromCharCode(byte)).join(''));
                resolve({took: now - handed, whole: now - begun, patch});
            }
        };
    });";

/// Makes a patch in the page that is open.
///
/// # Errors
/// When the page's worker makes none.
pub fn make(page: &Browser, base: &[u8], target: &[u8]) -> Result<Made> {
    let pair = [json!(STANDARD.encode(base)), json!(STANDARD.encode(target))];
    let made = page.run(MAKE, &pair)?;
    let time = |name: &str| Duration::from_secs_f64(made[name].as_f64().unwrap_or_default() / 1000.0);
    Ok(Made {
        took: time("took"),
        whole: time("whole"),
        patch: STANDARD.decode(made["patch"].as_str().context("no patch")?)?,
    })
}

/// Beats on the main thread: what holds a beat up is a task as long as the delay.
const LISTEN: &str = "
    window.longest = 0;
    let due = performance.now();
    const beat = () => {
        const now = performance.now();
        window.longest = Math.max(window.longest, now - due);
        due = now + 4;
        setTimeout(beat, 4);
    };
    beat();";

/// The longest task of the page's main thread from choosing an image and plugging in a simulated board until the patch
/// between them is made.
///
/// # Errors
/// When no patch comes of it.
pub fn longest_task(page: &Browser, url: &str) -> Result<Duration> {
    main_job::open(page, url)?;
    page.run(LISTEN, &[])?;
    main_job::choose_demo(page, "7.28")?;
    let runs = main_job::simulate(page, "Works")?;
    ensure!(runs.contains("7.27"), "the simulated board runs {runs}");
    main_job::patched(page)?;
    let longest = page.run("return window.longest", &[])?;
    Ok(Duration::from_secs_f64(
        longest.as_f64().context("no beat")? / 1000.0,
    ))
}
