//! Another process's memory: where the caller of an ioctl keeps what its pointers name.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;

use rustix::io::Errno;

/// The memory of the process that this thread belongs to.
#[derive(Debug)]
pub(super) struct Memory(File);

impl Memory {
    /// # Errors
    /// The process has ended, or may not be looked at.
    pub(super) fn of(thread: u32) -> Result<Self, Errno> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(format!("/proc/{thread}/mem"));
        file.map(Memory).map_err(|_| Errno::FAULT)
    }

    /// # Errors
    /// EFAULT, as the kernel has it where a pointer points nowhere.
    pub(super) fn read(&self, at: u64, len: usize) -> Result<Vec<u8>, Errno> {
        let mut bytes = vec![0; len];
        self.0.read_exact_at(&mut bytes, at).map_err(|_| Errno::FAULT)?;
        Ok(bytes)
    }

    /// # Errors
    /// As [`Memory::read`].
    pub(super) fn array<const N: usize>(&self, at: u64) -> Result<[u8; N], Errno> {
        let mut bytes = [0; N];
        self.0.read_exact_at(&mut bytes, at).map_err(|_| Errno::FAULT)?;
        Ok(bytes)
    }

    /// # Errors
    /// As [`Memory::read`].
    pub(super) fn number(&self, at: u64) -> Result<u32, Errno> {
        self.array(at).map(u32::from_ne_bytes)
    }

    /// # Errors
    /// As [`Memory::read`].
    pub(super) fn write(&self, at: u64, bytes: &[u8]) -> Result<(), Errno> {
        self.0.write_all_at(bytes, at).map_err(|_| Errno::FAULT)
    }
}
