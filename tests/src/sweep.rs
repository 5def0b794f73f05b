//! All faults of a window, on as many boards as there are processors.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result, anyhow};

use crate::faults::{End, Faults, Skip, Window};

/// What came of a window.
#[derive(Debug)]
pub struct Swept {
    /// Instructions that are executed in it.
    pub instructions: usize,
    /// Faults that were tried.
    pub skips: usize,
    /// Those with which neither the image starts nor the bootloader serves.
    pub hangs: usize,
    /// Those that start the image.
    pub boots: Vec<Skip>,
}

/// Tries every `every`th fault of a window.
///
/// # Errors
/// When QEMU does not start, or stops for no reason of the fault.
pub fn sweep(window: Window, every: usize) -> Result<Swept> {
    let mut first = Faults::new(window)?;
    let all = first.skips()?;
    let instructions = all.chunk_by(|one, other| one.address == other.address).count();
    let skips: Vec<Skip> = all.into_iter().step_by(every.max(1)).collect();
    let next = AtomicUsize::new(0);
    let ends = Mutex::new(Vec::new());
    let work = |mut board: Faults| -> Result<()> {
        while let Some(&skip) = skips.get(next.fetch_add(1, Ordering::Relaxed)) {
            let end = board.run(skip).with_context(|| format!("{skip:x?}"))?;
            let mut ends = ends.lock().map_err(|_| anyhow!("another thread stopped"))?;
            ends.push((skip, end));
        }
        Ok(())
    };
    let others = std::thread::available_parallelism().map_or(1, usize::from) - 1;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..others)
            .map(|_| scope.spawn(|| work(Faults::new(window)?)))
            .collect();
        work(first)?;
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().map_err(|_| anyhow!("a thread stopped"))?)
    })?;
    let ends = ends.into_inner().map_err(|_| anyhow!("a thread stopped"))?;
    let ended = |wanted: End| {
        let found = ends.iter().filter(move |(_, end)| *end == wanted);
        found.map(|(skip, _)| *skip)
    };
    let mut boots: Vec<Skip> = ended(End::Boots).collect();
    boots.sort_unstable_by_key(|skip| skip.address);
    Ok(Swept {
        instructions,
        skips: ends.len(),
        hangs: ended(End::Hangs).count(),
        boots,
    })
}
