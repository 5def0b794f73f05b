//! Many sweeps, on as many threads as there are cores.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::sweep::{Count, Sweep};

/// What came of many sweeps.
#[derive(Debug, Default)]
pub struct Report {
    /// By shape of flash and scenario.
    pub counts: BTreeMap<(String, &'static str), Count>,
    /// Where something did not hold.
    pub bricks: Vec<String>,
}

impl Report {
    /// Runs all sweeps, the last ones first: they take longest. `stop` says whether one that failed is enough; `done` hears
    /// of each that held, with its shape.
    pub fn new(sweeps: &[(String, Sweep)], stop: bool, done: impl Fn(&str, &Sweep, Count) + Sync) -> Self {
        let next = AtomicUsize::new(0);
        let report = Mutex::new(Report::default());
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some((shape, sweep)) =
                        sweeps.iter().rev().nth(next.fetch_add(1, Ordering::Relaxed))
                    {
                        let outcome = sweep.run();
                        // A poisoned lock means that another sweep panicked, which the scope passes on.
                        let Ok(mut report) = report.lock() else { return };
                        match outcome {
                            Ok(count) => {
                                done(shape, sweep, count);
                                let key = (shape.clone(), sweep.scenario.name);
                                let before = report.counts.get(&key).copied().unwrap_or_default();
                                report.counts.insert(key, before.and(count));
                            }
                            Err(error) => {
                                report.bricks.push(format!("{shape}: {error:#}"));
                                if stop {
                                    next.store(sweeps.len(), Ordering::Relaxed);
                                }
                            }
                        }
                    }
                });
            }
        });
        report.into_inner().unwrap_or_default()
    }

    /// All counts together.
    pub fn total(&self) -> Count {
        self.counts
            .values()
            .fold(Count::default(), |sum, count| sum.and(*count))
    }
}
