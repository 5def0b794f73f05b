//! A model of an STM32's serial loader ([`bootlace_roms::uart`]) behind a pseudo-terminal, in real time.

use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use anyhow::{Context as _, Result};
use bootlace_roms::uart::Rom;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::pty::OpenptFlags;
use rustix::termios::OptionalActions;

/// A chip at a port.
#[derive(Debug)]
pub struct SerialChip {
    node: PathBuf,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// Kept open so that the line stays up while no program has the port open.
    _slave: OwnedFd,
}

#[derive(Debug)]
struct Shared {
    rom: Mutex<Rom>,
    /// Bytes to the chip after which the port is gone; and those that came.
    pulled_at: Mutex<Option<usize>>,
    heard: Mutex<usize>,
    stop: AtomicBool,
}

impl SerialChip {
    /// Connects a chip in its loader.
    ///
    /// # Errors
    /// When there are no pseudo-terminals.
    pub fn new(rom: Rom) -> Result<Self> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = rustix::pty::openpt(flags).context("no pseudo-terminal")?;
        rustix::pty::grantpt(&master)?;
        rustix::pty::unlockpt(&master)?;
        let name = rustix::pty::ptsname(&master, Vec::new())?;
        let node = PathBuf::from(OsStr::from_bytes(name.as_bytes()));
        let slave = rustix::fs::open(
            &node,
            OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        let mut settings = rustix::termios::tcgetattr(&slave)?;
        settings.make_raw();
        rustix::termios::tcsetattr(&slave, OptionalActions::Now, &settings)?;
        let shared = Arc::new(Shared {
            rom: Mutex::new(rom),
            pulled_at: Mutex::new(None),
            heard: Mutex::new(0),
            stop: AtomicBool::new(false),
        });
        let its = Arc::clone(&shared);
        let thread = Some(std::thread::spawn(move || its.serve(&master)));
        Ok(SerialChip {
            node,
            shared,
            thread,
            _slave: slave,
        })
    }

    /// Where its port is.
    pub fn node(&self) -> &Path {
        &self.node
    }

    /// Looks at the loader, or changes it.
    pub fn with<T>(&self, look: impl FnOnce(&mut Rom) -> T) -> T {
        look(&mut locked(&self.shared.rom))
    }

    /// Bytes that came to the chip.
    pub fn heard(&self) -> usize {
        *locked(&self.shared.heard)
    }

    /// Has the adapter pulled out when so many bytes have come to the chip.
    pub fn pull_at(&self, bytes: usize) {
        *locked(&self.shared.pulled_at) = Some(bytes);
    }
}

impl Drop for SerialChip {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Until it is over, or the adapter is pulled out: the port is gone when this end is.
    fn serve(&self, master: &OwnedFd) {
        let mut then = Instant::now();
        while !self.stop.load(Ordering::Relaxed) {
            let wait = Timespec {
                tv_sec: 0,
                tv_nsec: 1_000_000,
            };
            let mut some = [PollFd::new(master, PollFlags::IN)];
            poll(&mut some, Some(&wait)).ok();
            let mut buffer = [MaybeUninit::uninit(); 512];
            let came = match some {
                [it] if it.revents().contains(PollFlags::IN) => {
                    rustix::io::read(master, &mut buffer).map_or(Vec::new(), |(bytes, _)| bytes.to_vec())
                }
                _ => Vec::new(),
            };
            let mut rom = locked(&self.rom);
            rom.pass(then.elapsed());
            then = Instant::now();
            came.iter().for_each(|byte| rom.receive(*byte));
            let heard = {
                let mut heard = locked(&self.heard);
                *heard += came.len();
                *heard
            };
            if locked(&self.pulled_at).is_some_and(|at| heard >= at) {
                return;
            }
            let sent = rom.sent();
            let mut rest = sent.as_slice();
            while let Some(after) = rustix::io::write(master, rest)
                .ok()
                .and_then(|len| rest.get(len..))
            {
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
        }
    }
}
