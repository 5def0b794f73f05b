//! Serial ports: finding, opening, and a thread that reads.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::Duration;

use bootlace_engine::words::Sentence;
use serial2::SerialPort;

/// What a port's thread says. The number tells ports apart that were opened one after another.
#[derive(Debug)]
pub(crate) enum Input {
    /// Bytes arrived.
    Bytes(u64, Vec<u8>),
    /// The port is gone.
    Gone(u64),
}

/// How long the reading thread may take to notice that it is no longer wanted.
const PATIENCE: Duration = Duration::from_millis(20);
/// How long a write may hold up everything else.
const WRITE: Duration = Duration::from_millis(20);

/// An open port.
#[derive(Debug)]
pub(crate) struct Link {
    /// Which of all that were opened.
    pub(crate) number: u64,
    port: Arc<SerialPort>,
    closing: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl Link {
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
        port.set_read_timeout(PATIENCE)?;
        port.set_write_timeout(WRITE)?;
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
        Ok(Link {
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

impl Drop for Link {
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

/// Ports that may be the board's: names or patterns, in the order given.
#[derive(Debug)]
pub(crate) struct Candidates {
    patterns: Vec<String>,
}

impl Candidates {
    pub(crate) fn new(patterns: &[String]) -> Self {
        Candidates {
            patterns: patterns.to_vec(),
        }
    }

    /// Those that are there now, `first` before the others.
    pub(crate) fn now(&self, first: Option<&Path>) -> VecDeque<PathBuf> {
        let mut found = VecDeque::new();
        for pattern in &self.patterns {
            // A name with a bracket in it may be no pattern.
            let names = glob::glob(pattern).map(|paths| paths.filter_map(Result::ok).collect::<Vec<_>>());
            let mut names = names.unwrap_or_default();
            if names.is_empty() && (cfg!(windows) || Path::new(pattern).exists()) {
                names.push(PathBuf::from(pattern));
            }
            found.extend(names);
        }
        if let Some(at) = found.iter().position(|path| Some(path.as_path()) == first)
            && let Some(path) = found.remove(at)
        {
            found.push_front(path);
        }
        let mut seen = Vec::new();
        found.retain(|path| {
            let new = !seen.contains(path);
            seen.push(path.clone());
            new
        });
        found
    }

    /// As people wrote them.
    pub(crate) fn names(&self) -> String {
        self.patterns.join(", ")
    }
}

/// Why a port can't be opened.
pub(crate) fn unopened(path: &Path, error: &std::io::Error) -> Sentence {
    let (name, what, next) = match error.kind() {
        ErrorKind::NotFound => (
            "NoPort",
            format!("There is no port {}.", path.display()),
            "Plug the board in and check the port's name. A board that restarts has no port for a moment.".into(),
        ),
        ErrorKind::PermissionDenied => (
            "PortForbidden",
            format!("You may not use the port {}.", path.display()),
            "On Linux, join the group that owns it (often dialout): “sudo usermod -aG dialout $USER”, then log in \
             again."
                .into(),
        ),
        ErrorKind::ResourceBusy => (
            "PortBusy",
            format!("The port {} is busy: another program is using it.", path.display()),
            "Close terminals and other tools that use the port, then start the update again.".into(),
        ),
        _ => (
            "PortUnusable",
            format!("The port {} can't be opened: {error}.", path.display()),
            "Check that this is a serial port and that no other program uses it.".into(),
        ),
    };
    Sentence {
        name: name.into(),
        what,
        next,
        unharmed: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_are_what_is_there() {
        let folder = std::env::temp_dir().join(format!("bootlace-ports-{}", std::process::id()));
        std::fs::create_dir_all(&folder).ok();
        let path = |name: &str| folder.join(name);
        for name in ["tty1", "tty2", "other"] {
            std::fs::write(path(name), "").ok();
        }
        let text = |name: &str| path(name).display().to_string();
        let candidates = Candidates::new(&[text("other"), text("missing"), text("tty*"), text("tty2")]);
        assert_eq!(candidates.now(None), [path("other"), path("tty1"), path("tty2")]);
        assert_eq!(
            candidates.now(Some(&path("tty2"))),
            [path("tty2"), path("other"), path("tty1")]
        );
        std::fs::remove_file(path("tty2")).ok();
        assert_eq!(candidates.now(Some(&path("tty2"))), [path("other"), path("tty1")]);
        std::fs::remove_dir_all(&folder).ok();
    }
}
