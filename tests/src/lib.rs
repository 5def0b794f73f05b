//! What the end-to-end tests stand on: serial ports that Chromium takes for real USB ports, a browser driver, a
//! static server, and the main job as a function that `cargo xtask run --check` and the tests share.
//!
//! Linux only: the ports are pseudo-terminals announced the way udevd announces a device.

pub mod bench;
pub mod browser;
pub mod delta_update;
pub mod delta_web;
pub mod main_job;
pub mod namespace;
pub mod pair;
pub mod qemu;
pub mod runner;
pub mod serial;
pub mod serve;
pub mod simulate;
pub mod tools;
pub mod webdriver;

use std::time::{Duration, Instant};

use anyhow::bail;

/// Asks `probe` every 20 ms until it gives a value.
///
/// # Errors
/// The probe's own error, at once; after `limit`, an error that names `what` was waited for.
pub fn wait_for<T>(
    what: &str,
    limit: Duration,
    mut probe: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let start = Instant::now();
    loop {
        if let Some(value) = probe()? {
            return Ok(value);
        }
        if start.elapsed() > limit {
            bail!("waited {:.1} s in vain for {what}", limit.as_secs_f32());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
