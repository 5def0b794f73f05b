//! The loader behind a pseudo-terminal, for programs that open a serial port.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::pty::OpenptFlags;
use rustix::termios::OptionalActions;

use crate::Loader;

/// How many times faster than the chip's this flash is.
const HURRY: u32 = 20;
/// Between two looks at the line.
const TURN: Duration = Duration::from_micros(200);
/// From a loader's last reply until its USB leaves: it stores its settings first.
const LEAVING: Duration = Duration::from_millis(150);

/// A loader with a port.
#[derive(Debug)]
pub struct Terminal {
    path: PathBuf,
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Loader>,
}

impl Terminal {
    /// Plugs a loader in. The cable is pulled once so many bytes have come, where that is said.
    ///
    /// # Errors
    /// There is no pseudo-terminal.
    pub fn new(loader: Loader, pulled_after: Option<usize>) -> io::Result<Self> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = rustix::pty::openpt(flags)?;
        rustix::pty::grantpt(&master)?;
        rustix::pty::unlockpt(&master)?;
        let name = rustix::pty::ptsname(&master, Vec::new())?;
        let path = PathBuf::from(name.to_string_lossy().into_owned());
        // Kept open: without it the line would hang up before a program opens it.
        let slave = rustix::fs::open(
            &path,
            OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        let mut settings = rustix::termios::tcgetattr(&slave)?;
        settings.make_raw();
        rustix::termios::tcsetattr(&slave, OptionalActions::Now, &settings)?;
        rustix::io::ioctl_fionbio(&master, true)?;
        let is_over = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&is_over);
        let thread = std::thread::spawn(move || {
            serve(
                loader,
                (&master, &slave),
                &theirs,
                pulled_after.unwrap_or(usize::MAX),
            )
        });
        Ok(Terminal {
            path,
            is_over,
            thread,
        })
    }

    /// The port's name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The loader, unplugged.
    pub fn end(self) -> Loader {
        self.is_over.store(true, Ordering::Relaxed);
        match self.thread.join() {
            Ok(loader) => loader,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

fn serve(
    mut loader: Loader,
    (master, _slave): (&OwnedFd, &OwnedFd),
    is_over: &AtomicBool,
    most: usize,
) -> Loader {
    let mut buffer = [0; 4096];
    let mut taken = 0;
    while !is_over.load(Ordering::Relaxed) {
        match rustix::io::read(master, &mut buffer) {
            Ok(len) => {
                taken += len;
                if taken > most {
                    break;
                }
                let mut reply = loader.receive(&buffer[..len]);
                std::thread::sleep(loader.take_time() / HURRY);
                while !reply.is_empty() && !is_over.load(Ordering::Relaxed) {
                    match rustix::io::write(master, &reply) {
                        Ok(len) => drop(reply.drain(..len)),
                        Err(_) => std::thread::sleep(TURN),
                    }
                }
                if loader.has_left() {
                    std::thread::sleep(LEAVING);
                    break;
                }
            }
            Err(Errno::AGAIN) => std::thread::sleep(TURN),
            Err(_) => break,
        }
    }
    loader
}
