//! An open serial port, and the thread that reads it.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::Duration;

use serial2::SerialPort;

/// What a port's thread says. The number tells ports apart that were opened one after another.
#[derive(Debug)]
pub(crate) enum Input {
    /// Bytes arrived.
    Bytes(u64, Vec<u8>),
    /// The port is gone.
    Gone(u64),
}

/// How long the reading thread may take to notice that the port is being closed.
const READ_TIMEOUT: Duration = Duration::from_millis(20);
/// How long a write may hold up everything else.
const WRITE_TIMEOUT: Duration = Duration::from_millis(20);

/// An open port.
#[derive(Debug)]
pub(crate) struct Port {
    /// Which of all that were opened.
    pub(crate) number: u64,
    port: Arc<SerialPort>,
    closing: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl Port {
    /// Opens a port for nobody else.
    ///
    /// # Errors
    /// The system's: not there, not allowed, busy.
    pub(crate) fn open(path: &Path, baud: u32, number: u64, input: Sender<Input>) -> std::io::Result<Self> {
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
                let message = match theirs.read(&mut buffer) {
                    Ok(0) => Input::Gone(number),
                    Ok(len) => Input::Bytes(number, buffer.get(..len).unwrap_or_default().to_vec()),
                    Err(error) if waits(&error) => continue,
                    Err(_) => Input::Gone(number),
                };
                let gone = matches!(message, Input::Gone(_));
                if input.send(message).is_err() || gone {
                    break;
                }
            }
        });
        Ok(Port {
            number,
            port,
            closing,
            reader: Some(reader),
        })
    }

    /// Writes what goes at once, in order; `false` if the port is gone.
    pub(crate) fn write(&self, outgoing: &mut VecDeque<u8>) -> bool {
        let (front, _) = outgoing.as_slices();
        // Small enough that answers are seen meanwhile.
        match self.port.write(front.get(..1024).unwrap_or(front)) {
            Ok(len) => {
                outgoing.drain(..len);
                true
            }
            Err(error) => waits(&error),
        }
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            // So that the port can be opened again at once.
            let _ = reader.join();
        }
    }
}

fn waits(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::TimedOut | ErrorKind::WouldBlock | ErrorKind::Interrupted
    )
}

/// Two programs on one port would tear each other's messages.
#[cfg(unix)]
fn lock(port: &SerialPort) -> std::io::Result<()> {
    rustix::fs::flock(port, rustix::fs::FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| std::io::Error::from(ErrorKind::ResourceBusy))
}

#[cfg(not(unix))]
fn lock(_: &SerialPort) -> std::io::Result<()> {
    // Windows opens ports for one program only.
    Ok(())
}
