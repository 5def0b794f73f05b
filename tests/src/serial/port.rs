//! One virtual port: a pseudo-terminal, the device model behind it, and its announcement.

use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::fs::inotify::{self, ReadFlags, WatchFlags};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::pty::OpenptFlags;
use rustix::termios::OptionalActions;

use super::udev::{self, Announced, Identity};
use crate::namespace::Namespace;

/// In which order a cable that is pulled shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unplug {
    /// Reads end first, then the removal is announced: what the kernel does.
    HangupFirst,
    /// The removal is announced and 200 ms later reads end: a slow driver.
    RemoveFirst,
}

/// The device's end of a port: what a device model reads from and writes to.
#[derive(Clone, Debug)]
pub struct Line {
    master: Arc<OwnedFd>,
    stop: Arc<OwnedFd>,
    /// Kept open so that the line stays up while no page has the port open.
    slave: Arc<OwnedFd>,
    /// Tells when a page closes the port.
    closed: Arc<OwnedFd>,
    /// Whether that happened since [`Line::take_closing`] was last asked.
    was_closed: Arc<AtomicBool>,
}

impl Line {
    /// Bytes from the page: empty when none came within `limit`; `None` when the port was unplugged.
    pub fn read(&self, limit: Duration) -> Option<Vec<u8>> {
        self.read_when(&mut [self.stop(), self.closed(), self.input()], limit)
    }

    /// The same, and it returns early when `other` can be read.
    pub(crate) fn read_or(&self, other: &OwnedFd, limit: Duration) -> Option<Vec<u8>> {
        self.read_when(
            &mut [
                self.stop(),
                self.closed(),
                self.input(),
                PollFd::new(other, PollFlags::IN),
            ],
            limit,
        )
    }

    fn stop(&self) -> PollFd<'_> {
        PollFd::new(&*self.stop, PollFlags::IN)
    }

    fn closed(&self) -> PollFd<'_> {
        PollFd::new(&*self.closed, PollFlags::IN)
    }

    fn input(&self) -> PollFd<'_> {
        PollFd::new(&*self.master, PollFlags::IN)
    }

    fn read_when(&self, wanted: &mut [PollFd<'_>], limit: Duration) -> Option<Vec<u8>> {
        let timeout = rustix::event::Timespec::try_from(limit).ok()?;
        match poll(wanted, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return None,
        }
        if wanted.first().is_some_and(|stop| !stop.revents().is_empty()) {
            return None;
        }
        let mut bytes = vec![0; 65536];
        // A browser takes a port for itself; on a terminal that somebody else keeps open that mark would stay.
        if rustix::io::read(&*self.closed, &mut bytes[..]).is_ok() {
            rustix::termios::ioctl_tiocnxcl(&*self.slave).ok();
            self.was_closed.store(true, Ordering::Relaxed);
        }
        match rustix::io::read(&*self.master, &mut bytes[..]) {
            Ok(length) => bytes.truncate(length),
            Err(Errno::AGAIN | Errno::INTR) => bytes.clear(),
            Err(_) => return None,
        }
        Some(bytes)
    }

    /// Whether a program has closed the port since this was last asked, as far as [`Line::read`] has seen.
    pub fn take_closing(&self) -> bool {
        self.was_closed.swap(false, Ordering::Relaxed)
    }

    /// Line rate in bit/s that the port was opened with. The master shows the slave's settings.
    pub fn baud(&self) -> u32 {
        rustix::termios::tcgetattr(&*self.master).map_or(0, |termios| termios.output_speed())
    }

    /// Sends bytes to the page, waiting while the pipe is full; false when the port was unplugged meanwhile.
    pub fn write(&self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            match rustix::io::write(&*self.master, bytes) {
                Ok(length) => bytes = bytes.get(length..).unwrap_or_default(),
                Err(Errno::AGAIN) => {
                    let mut wanted = [
                        PollFd::new(&*self.stop, PollFlags::IN),
                        PollFd::new(&*self.master, PollFlags::OUT),
                    ];
                    if poll(&mut wanted, None).is_err() || !wanted[0].revents().is_empty() {
                        return false;
                    }
                }
                Err(Errno::INTR) => {}
                Err(_) => return false,
            }
        }
        true
    }
}

/// A port that is plugged in. Dropped without [`Port::unplug`], it goes as `HangupFirst`.
#[derive(Debug)]
pub struct Port {
    identity: Identity,
    node: PathBuf,
    announced: Option<Announced>,
    line: Option<Line>,
    device: Option<JoinHandle<()>>,
    watch: OwnedFd,
    opens: u32,
    closes: u32,
}

impl Port {
    /// Plugs in a port whose device is `model`, run in a thread of its own until the port is unplugged: it should
    /// return when [`Line::read`] gives `None`.
    ///
    /// # Errors
    /// When no pseudo-terminal can be had or announced.
    pub fn plug(identity: Identity, model: impl FnOnce(Line) + Send + 'static) -> Result<Self> {
        Self::start(identity, model, |identity, node| {
            udev::add(identity, node).map(Some)
        })
    }

    /// The same for programs that open the node itself: no browser hears of it, and no namespace is needed.
    ///
    /// # Errors
    /// When no pseudo-terminal can be had.
    pub fn unannounced(model: impl FnOnce(Line) + Send + 'static) -> Result<Self> {
        Self::start(Identity::unknown("unannounced"), model, |_, _| Ok(None))
    }

    /// The same for browsers that have not started yet.
    ///
    /// # Errors
    /// As [`Port::plug`], and when sysfs has no place for it.
    pub fn plug_cold(
        namespace: &Namespace,
        identity: Identity,
        model: impl FnOnce(Line) + Send + 'static,
    ) -> Result<Self> {
        Self::start(identity, model, |identity, node| {
            udev::add_cold(namespace, identity, node).map(Some)
        })
    }

    fn start(
        identity: Identity,
        model: impl FnOnce(Line) + Send + 'static,
        announce: impl FnOnce(&Identity, &Path) -> Result<Option<Announced>>,
    ) -> Result<Self> {
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
        // As a device that nobody has opened yet: it does not echo.
        let mut termios = rustix::termios::tcgetattr(&slave)?;
        termios.make_raw();
        rustix::termios::tcsetattr(&slave, OptionalActions::Now, &termios)?;
        rustix::io::ioctl_fionbio(&master, true)?;
        let watch = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)?;
        let events = WatchFlags::OPEN | WatchFlags::CLOSE_WRITE | WatchFlags::CLOSE_NOWRITE;
        inotify::add_watch(&watch, &node, events)?;
        let stop = eventfd(0, EventfdFlags::CLOEXEC)?;
        let closed = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)?;
        inotify::add_watch(&closed, &node, WatchFlags::CLOSE)?;
        let line = Line {
            master: Arc::new(master),
            stop: Arc::new(stop),
            slave: Arc::new(slave),
            closed: Arc::new(closed),
            was_closed: Arc::default(),
        };
        let end = line.clone();
        let device = std::thread::spawn(move || model(end));
        let announced = announce(&identity, &node)?;
        Ok(Self {
            identity,
            node,
            announced,
            line: Some(line),
            device: Some(device),
            watch,
            opens: 0,
            closes: 0,
        })
    }

    /// What was announced.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The device node that the browser opens.
    pub fn node(&self) -> &Path {
        &self.node
    }

    /// Line rate in bit/s that the port was opened with; 0 when it is gone.
    pub fn baud(&self) -> u32 {
        self.line.as_ref().map_or(0, Line::baud)
    }

    /// Takes the port for ourselves, as another program would: whoever opens it now finds it busy.
    ///
    /// # Errors
    /// When the port is gone.
    pub fn occupy(&self) -> Result<()> {
        let line = self.line.as_ref().context("the port is unplugged")?;
        rustix::termios::ioctl_tiocexcl(&*line.slave).context("taking the port")
    }

    /// How often the node was opened, and how often closed, since the port was plugged in.
    ///
    /// # Errors
    /// When inotify fails.
    pub fn openings(&mut self) -> Result<(u32, u32)> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.watch, &mut buffer);
        loop {
            match reader.next() {
                Ok(event) if event.events().contains(ReadFlags::OPEN) => self.opens += 1,
                Ok(event)
                    if event
                        .events()
                        .intersects(ReadFlags::CLOSE_WRITE | ReadFlags::CLOSE_NOWRITE) =>
                {
                    self.closes += 1;
                }
                Ok(_) => {}
                Err(Errno::AGAIN) => return Ok((self.opens, self.closes)),
                Err(error) => return Err(error).context("watching the port"),
            }
        }
    }

    /// Ends the line: every later read of the page ends, every write fails. The announcement stays.
    pub fn hang_up(&mut self) {
        if let Some(line) = self.line.take() {
            rustix::io::write(&*line.stop, &1u64.to_ne_bytes()).ok();
            if let Some(device) = self.device.take() {
                device.join().ok();
            }
        }
    }

    /// Pulls the cable.
    ///
    /// # Errors
    /// When the removal can't be announced.
    pub fn unplug(mut self, order: Unplug) -> Result<Identity> {
        if order == Unplug::HangupFirst {
            self.hang_up();
        }
        if let Some(announced) = self.announced.take() {
            announced.remove()?;
        }
        if order == Unplug::RemoveFirst {
            std::thread::sleep(Duration::from_millis(200));
            self.hang_up();
        }
        Ok(self.identity.clone())
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.hang_up();
        if let Some(announced) = self.announced.take() {
            announced.remove().ok();
        }
    }
}
