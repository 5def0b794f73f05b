//! A file system in this process, by the kernel's own protocol (`include/uapi/linux/fuse.h`, version 7.31): directories of
//! files that are ioctl'd and polled.
//!
//! The `fuser` crate hides the pointer that an ioctl was called with, and usbfs's requests are full of pointers.

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use rustix::io::Errno;
use rustix::mount::{MountFlags, mount};

/// The file system's root; other nodes have the numbers that [`Files::find`] gives them.
pub(super) const ROOT: u64 = 1;

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Folder,
    File,
}

/// An ioctl, with the thread that called it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    /// By which it is answered.
    pub(super) unique: u64,
    pub(super) thread: u32,
    /// Which open file.
    pub(super) file: u64,
    pub(super) command: u32,
    pub(super) argument: u64,
}

/// What the file system holds.
pub(super) trait Files: Send + Sync + 'static {
    fn kind(&self, node: u64) -> Option<Node>;
    fn find(&self, folder: u64, name: &str) -> Option<u64>;
    /// Names, with the numbers of their nodes.
    fn list(&self, folder: u64) -> Vec<(String, u64)>;
    /// The number of an open file.
    fn open(&self, node: u64) -> Result<u64, Errno>;
    fn read(&self, file: u64) -> Vec<u8>;
    fn close(&self, file: u64);
    /// `None`: answered later, by [`Kernel::answer`].
    fn ioctl(&self, call: Call) -> Option<Result<u32, Errno>>;
    /// Events of poll(2); with a handle, [`Kernel::wake`] is called when there are others.
    fn poll(&self, file: u64, handle: Option<u64>) -> u32;
}

/// The kernel's end.
#[derive(Debug)]
pub(super) struct Kernel(File);

impl Kernel {
    /// # Errors
    /// When this user may have no such file systems.
    pub(super) fn open() -> Result<Arc<Self>> {
        let device = OpenOptions::new().read(true).write(true).open("/dev/fuse");
        Ok(Arc::new(Kernel(
            device.context("/dev/fuse, for USB devices of our own")?,
        )))
    }

    fn reply(&self, unique: u64, error: i32, body: &[u8]) {
        let mut out = Vec::with_capacity(16 + body.len());
        out.extend((16 + body.len() as u32).to_ne_bytes());
        out.extend(error.to_ne_bytes());
        out.extend(unique.to_ne_bytes());
        out.extend(body);
        // ENOENT: whoever asked has been interrupted.
        (&self.0).write_all(&out).ok();
    }

    /// Answers an ioctl.
    pub(super) fn answer(&self, unique: u64, result: Result<u32, Errno>) {
        match result {
            Ok(result) => self.reply(unique, 0, &words(&[result, 0, 0, 0])),
            Err(error) => self.reply(unique, -error.raw_os_error(), &[]),
        }
    }

    /// Has whoever polls ask again.
    pub(super) fn wake(&self, handle: u64) {
        const NOTIFY_POLL: i32 = 1;
        self.reply(0, NOTIFY_POLL, &handle.to_ne_bytes());
    }
}

/// Mounts the files at `place`; a thread serves them for as long as the process lives.
///
/// # Errors
/// When the kernel does not let this user.
pub(super) fn serve(kernel: Arc<Kernel>, files: Arc<impl Files>, place: &Path) -> Result<()> {
    let number = kernel.0.as_raw_fd();
    let options = CString::new(format!("fd={number},rootmode=40000,user_id=0,group_id=0"))?;
    mount(
        "bootlace",
        place,
        "fuse.bootlace",
        MountFlags::NOSUID,
        Some(options.as_c_str()),
    )
    .context("mounting a file system of our own")?;
    std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 18];
        loop {
            match (&kernel.0).read(&mut buffer) {
                Ok(len) => drop(
                    Request::parse(buffer.get(..len).unwrap_or_default())
                        .map(|it| it.serve(&kernel, &*files)),
                ),
                Err(error) if error.raw_os_error() == Some(Errno::NODEV.raw_os_error()) => return,
                Err(_) => {}
            }
        }
    });
    Ok(())
}

fn words(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_ne_bytes()).collect()
}

fn longs(numbers: &[u64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_ne_bytes()).collect()
}

/// One request of the kernel.
struct Request<'a> {
    operation: u32,
    unique: u64,
    node: u64,
    thread: u32,
    body: &'a [u8],
}

impl<'a> Request<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (head, body) = bytes.split_at_checked(40)?;
        Some(Request {
            operation: word(head, 4),
            unique: long(head, 8),
            node: long(head, 16),
            thread: word(head, 32),
            body,
        })
    }

    /// Mode and kind, owned by root, never cached.
    fn attributes(node: u64, kind: Node) -> Vec<u8> {
        let (mode, links) = match kind {
            Node::Folder => (0o40755, 2),
            Node::File => (0o100_664, 1),
        };
        [
            longs(&[node, 0, 0, 0, 0, 0]),
            words(&[0, 0, 0, mode, links, 0, 0, 0, 4096, 0]),
        ]
        .concat()
    }

    fn serve(&self, kernel: &Kernel, files: &impl Files) {
        let ok = |body: &[u8]| kernel.reply(self.unique, 0, body);
        let fail = |error: Errno| kernel.reply(self.unique, -error.raw_os_error(), &[]);
        let file = long(self.body, 0);
        match self.operation {
            LOOKUP => {
                let name = self.body.split(|byte| *byte == 0).next().unwrap_or_default();
                let name = String::from_utf8_lossy(name);
                let found = files.find(self.node, &name);
                match found.and_then(|node| Some((node, files.kind(node)?))) {
                    Some((node, kind)) => {
                        ok(&[
                            longs(&[node, 0, 0, 0]),
                            words(&[0, 0]),
                            Self::attributes(node, kind),
                        ]
                        .concat());
                    }
                    None => fail(Errno::NOENT),
                }
            }
            GETATTR => match files.kind(self.node) {
                Some(kind) => ok(&[longs(&[0]), words(&[0, 0]), Self::attributes(self.node, kind)].concat()),
                None => fail(Errno::NOENT),
            },
            OPEN => match files.open(self.node) {
                // Read past the page cache.
                Ok(file) => ok(&[longs(&[file]), words(&[1, 0])].concat()),
                Err(error) => fail(error),
            },
            READ => {
                let (bytes, at) = (files.read(file), long(self.body, 8) as usize);
                let rest = bytes.get(at..).unwrap_or_default();
                ok(rest.get(..word(self.body, 16) as usize).unwrap_or(rest));
            }
            RELEASE => {
                files.close(file);
                ok(&[]);
            }
            IOCTL => {
                let call = Call {
                    unique: self.unique,
                    thread: self.thread,
                    file,
                    command: word(self.body, 12),
                    argument: long(self.body, 16),
                };
                if let Some(result) = files.ioctl(call) {
                    kernel.answer(self.unique, result);
                }
            }
            POLL => {
                let wants_news = word(self.body, 16) & 1 != 0;
                let events = files.poll(file, wants_news.then(|| long(self.body, 8)));
                ok(&words(&[events, 0]));
            }
            READDIR => {
                let mut out = Vec::new();
                for (at, (name, node)) in files.list(self.node).into_iter().enumerate() {
                    if (at as u64) < long(self.body, 8) {
                        continue;
                    }
                    let kind = if files.kind(node) == Some(Node::Folder) {
                        4
                    } else {
                        8
                    };
                    let mut entry =
                        [longs(&[node, at as u64 + 1]), words(&[name.len() as u32, kind])].concat();
                    entry.extend(name.bytes());
                    entry.resize(entry.len().next_multiple_of(8), 0);
                    if out.len() + entry.len() > word(self.body, 16) as usize {
                        break;
                    }
                    out.extend(entry);
                }
                ok(&out);
            }
            INIT => {
                let readahead = word(self.body, 8);
                // Version, readahead, no options, background requests, bytes of a write, nanoseconds of a time.
                let mut body = words(&[7, 31, readahead, 0, 12 << 16 | 16, 65536, 1]);
                body.resize(64, 0);
                ok(&body);
            }
            STATFS => ok(&[0; 80]),
            OPENDIR => ok(&[0; 16]),
            RELEASEDIR | FLUSH | FSYNC | ACCESS => ok(&[]),
            // Not answered.
            FORGET | BATCH_FORGET | INTERRUPT => {}
            _ => fail(Errno::NOSYS),
        }
    }
}

const LOOKUP: u32 = 1;
const FORGET: u32 = 2;
const GETATTR: u32 = 3;
const OPEN: u32 = 14;
const READ: u32 = 15;
const STATFS: u32 = 17;
const RELEASE: u32 = 18;
const FSYNC: u32 = 20;
const FLUSH: u32 = 25;
const INIT: u32 = 26;
const OPENDIR: u32 = 27;
const READDIR: u32 = 28;
const RELEASEDIR: u32 = 29;
const ACCESS: u32 = 34;
const INTERRUPT: u32 = 36;
const IOCTL: u32 = 39;
const POLL: u32 = 40;
const BATCH_FORGET: u32 = 42;

/// A number of the request; 0 where the kernel sent less, which it does not.
pub(super) fn word(bytes: &[u8], at: usize) -> u32 {
    let rest = bytes.get(at..).and_then(<[u8]>::first_chunk);
    rest.copied().map(u32::from_ne_bytes).unwrap_or_default()
}

/// The same of twice the width.
pub(super) fn long(bytes: &[u8], at: usize) -> u64 {
    let rest = bytes.get(at..).and_then(<[u8]>::first_chunk);
    rest.copied().map(u64::from_ne_bytes).unwrap_or_default()
}
