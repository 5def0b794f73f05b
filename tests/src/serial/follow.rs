//! The cable between a simulated board and the browser: a port is announced when the simulator shows one, and removed
//! when it goes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Result;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::termios::OptionalActions;

use super::udev::{self, Announced, Identity};
use super::{Line, Port, Unplug};
use crate::simulate::node;

/// How often the link is looked at: far shorter than a board's restart.
const INTERVAL: Duration = Duration::from_millis(5);

/// How the browser reaches the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The browser opens the simulator's own pseudo-terminal.
    Direct,
    /// A pseudo-terminal of ours in between: the cable can be pulled while the board has its power from elsewhere.
    Relayed,
}

/// Bytes that went over a relayed cable.
#[derive(Debug, Default)]
struct Traffic {
    to_board: AtomicU64,
    from_board: AtomicU64,
}

/// A cable that is plugged in. It is pulled when dropped.
#[derive(Debug)]
pub struct Cable {
    traffic: Arc<Traffic>,
    plugged: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<()>>>,
}

enum Shown {
    Direct(Announced),
    Relayed(Port),
}

impl Cable {
    /// Connects the board behind `link`; `identity` says who each port is that appears.
    pub fn new(
        link: PathBuf,
        way: Way,
        mut identity: impl FnMut(&Path) -> Result<Identity> + Send + 'static,
    ) -> Self {
        let (plugged, stop) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
        let (is_plugged, stopped) = (Arc::clone(&plugged), Arc::clone(&stop));
        let traffic = Arc::new(Traffic::default());
        let counted = Arc::clone(&traffic);
        let thread = std::thread::spawn(move || {
            let mut now: Option<(PathBuf, Shown)> = None;
            while !stopped.load(Ordering::Relaxed) {
                let next = node(&link).filter(|_| is_plugged.load(Ordering::Relaxed));
                if next.as_deref() != now.as_ref().map(|(node, _)| node.as_path()) {
                    if let Some((_, shown)) = now.take() {
                        shown.remove()?;
                    }
                    if let Some(node) = next {
                        let identity = identity(&node)?;
                        now = Some((
                            node.clone(),
                            Shown::new(way, identity, node, Arc::clone(&counted))?,
                        ));
                    }
                }
                std::thread::sleep(INTERVAL);
            }
            now.map_or(Ok(()), |(_, shown)| shown.remove())
        });
        Self {
            traffic,
            plugged,
            stop,
            thread: Some(thread),
        }
    }

    /// Bytes that went over it so far: to the board, and from it. A direct one counts none.
    pub fn traffic(&self) -> (u64, u64) {
        let Traffic { to_board, from_board } = &*self.traffic;
        (
            to_board.load(Ordering::Relaxed),
            from_board.load(Ordering::Relaxed),
        )
    }

    /// Pulls the cable; the board does not notice.
    pub fn pull(&self) {
        self.plugged.store(false, Ordering::Relaxed);
        std::thread::sleep(4 * INTERVAL);
    }

    /// Plugs it in again.
    pub fn plug(&self) {
        self.plugged.store(true, Ordering::Relaxed);
    }
}

impl Shown {
    fn new(way: Way, identity: Identity, node: PathBuf, traffic: Arc<Traffic>) -> Result<Self> {
        Ok(match way {
            Way::Direct => Self::Direct(udev::add(&identity, &node)?),
            Way::Relayed => Self::Relayed(Port::plug(identity, move |line| relay(&line, &node, &traffic))?),
        })
    }

    fn remove(self) -> Result<()> {
        match self {
            Self::Direct(announced) => announced.remove(),
            Self::Relayed(port) => port.unplug(Unplug::HangupFirst).map(drop),
        }
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(Err(error))) => eprintln!("the cable: {error:#}"),
            Some(Err(_)) => eprintln!("the cable's thread panicked"),
            _ => {}
        }
    }
}

/// Passes bytes between a line and the terminal at `node` until one of them ends.
fn relay(line: &Line, node: &Path, traffic: &Traffic) {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let Ok(board) = rustix::fs::open(node, flags, Mode::empty()) else {
        return;
    };
    if let Ok(mut termios) = rustix::termios::tcgetattr(&board) {
        termios.make_raw();
        rustix::termios::tcsetattr(&board, OptionalActions::Now, &termios).ok();
    }
    let mut buffer = vec![0; 65536];
    loop {
        let Some(bytes) = line.read_or(&board, Duration::from_secs(1)) else {
            return;
        };
        if !write_all(&board, &bytes) {
            return;
        }
        traffic.to_board.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        match rustix::io::read(&board, &mut buffer[..]) {
            Ok(0) => return,
            Ok(length) => {
                traffic.from_board.fetch_add(length as u64, Ordering::Relaxed);
                if !line.write(buffer.get(..length).unwrap_or_default()) {
                    return;
                }
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

fn write_all(file: &impl std::os::fd::AsFd, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        match rustix::io::write(file, bytes) {
            Ok(length) => bytes = bytes.get(length..).unwrap_or_default(),
            Err(Errno::AGAIN | Errno::INTR) => {
                if poll(&mut [PollFd::new(file, PollFlags::OUT)], None).is_err() {
                    return false;
                }
            }
            Err(_) => return false,
        }
    }
    true
}
