//! An open serial port, and the thread that reads it.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use serial2::SerialPort;

use crate::input::{Inputs, READ_TIMEOUT, WRITE_BYTES, WRITE_TIMEOUT};
use crate::unusable::Unusable;

/// The serial ports that the system lists.
pub(crate) fn ports() -> Vec<PathBuf> {
    let mut ports = SerialPort::available_ports().unwrap_or_default();
    ports.sort();
    ports
}

/// An open serial port.
#[derive(Debug)]
pub(crate) struct SerialLink {
    port: Arc<SerialPort>,
    closing: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl SerialLink {
    /// Opens a port for nobody else.
    ///
    /// # Errors
    /// It is not there, not allowed or busy.
    pub(crate) fn open(path: &Path, baud: u32, inputs: Inputs) -> Result<Self, Unusable> {
        Self::open_or(path, baud, inputs).map_err(|error| Unusable::from(&error))
    }

    fn open_or(path: &Path, baud: u32, inputs: Inputs) -> std::io::Result<Self> {
        let mut port = SerialPort::open(path, |mut settings: serial2::Settings| {
            settings.set_raw();
            settings.set_baud_rate(baud)?;
            Ok(settings)
        })?;
        lock(&port)?;
        port.set_read_timeout(READ_TIMEOUT)?;
        port.set_write_timeout(WRITE_TIMEOUT)?;
        let (port, closing) = (Arc::new(port), Arc::new(AtomicBool::new(false)));
        let (theirs, ends) = (Arc::clone(&port), Arc::clone(&closing));
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while !ends.load(Ordering::Relaxed) {
                match theirs.read(&mut buffer) {
                    Ok(len) if len > 0 => {
                        if !inputs.bytes(buffer.get(..len).unwrap_or_default()) {
                            return;
                        }
                    }
                    Err(error) if waits(&error) => {}
                    _ => return inputs.gone(),
                }
            }
        });
        Ok(SerialLink {
            port,
            closing,
            reader: Some(reader),
        })
    }

    /// Writes what goes at once, in order; `false` if the port is gone.
    pub(crate) fn write(&self, outgoing: &mut VecDeque<u8>) -> bool {
        let (front, _) = outgoing.as_slices();
        match self.port.write(front.get(..WRITE_BYTES).unwrap_or(front)) {
            Ok(len) => {
                outgoing.drain(..len);
                true
            }
            Err(error) => waits(&error),
        }
    }
}

impl Drop for SerialLink {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            // So that the port can be opened again at once.
            let _ = reader.join();
        }
    }
}

pub(crate) fn waits(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::TimedOut | ErrorKind::WouldBlock | ErrorKind::Interrupted
    )
}

/// Two programs on one port would tear each other's messages.
#[cfg(unix)]
pub(crate) fn lock(port: &SerialPort) -> std::io::Result<()> {
    rustix::fs::flock(port, rustix::fs::FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| std::io::Error::from(ErrorKind::ResourceBusy))
}

#[cfg(not(unix))]
pub(crate) fn lock(_: &SerialPort) -> std::io::Result<()> {
    // Windows opens ports for one program only.
    Ok(())
}
