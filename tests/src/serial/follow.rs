//! A simulated board's port as a browser sees it: announced when the simulator shows one, removed when it goes.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Result;

use super::udev::{self, Announced, Identity};
use crate::simulate::node;

/// How often the link is looked at: far shorter than a board's restart.
const INTERVAL: Duration = Duration::from_millis(5);

/// Announces what a link points to, as it changes, until dropped.
#[derive(Debug)]
pub struct Follower {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Follower {
    /// Follows `link`; `identity` says who each new port is, from the node that it is.
    pub fn start(
        link: PathBuf,
        mut identity: impl FnMut(&std::path::Path) -> Identity + Send + 'static,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut now: Option<(PathBuf, Announced)> = None;
            while !stopped.load(Ordering::Relaxed) {
                let next = node(&link);
                if next.as_deref() != now.as_ref().map(|(node, _)| node.as_path()) {
                    if let Some((_, announced)) = now.take() {
                        announced.remove()?;
                    }
                    if let Some(node) = next {
                        let announced = udev::add(&identity(&node), &node)?;
                        now = Some((node, announced));
                    }
                }
                std::thread::sleep(INTERVAL);
            }
            now.map_or(Ok(()), |(_, announced)| announced.remove())
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}
