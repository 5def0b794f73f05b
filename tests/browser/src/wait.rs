//! Waiting for what another program does.

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
