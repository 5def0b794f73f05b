//! The board's serial port as a terminal of this machine, as its driver would make one: there while the board is, with a
//! link that names it.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Result;
use bootlace_browser::wait_for;
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use rustix::termios::OptionalActions;
use serde_json::{Value, json};

use super::process::{Commands, Pico, Voice};
use crate::serial::{Line, Port};

/// How long something may go unnoticed.
const INTERVAL: Duration = Duration::from_millis(5);

/// The terminal; it goes when dropped.
#[derive(Debug)]
pub struct Terminal {
    link: PathBuf,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Terminal {
    /// Makes a terminal of the board's serial port whenever the board is there.
    pub fn new(pico: &Pico) -> Self {
        let link = pico.folder().join("tty");
        let stop = Arc::<AtomicBool>::default();
        let driver = Driver {
            voice: Arc::clone(&pico.voice),
            commands: Arc::clone(&pico.commands),
            socket: pico.folder().join("serial"),
            link: link.clone(),
            stop: Arc::clone(&stop),
        };
        Self {
            link,
            stop,
            thread: Some(std::thread::spawn(move || driver.run())),
        }
    }

    /// The link that names the terminal.
    pub fn link(&self) -> &Path {
        &self.link
    }

    /// Waits until the terminal is there, and gives the link.
    ///
    /// # Errors
    /// When it does not come.
    pub fn ready(&self) -> Result<&Path> {
        wait_for("the terminal", Duration::from_secs(60), || {
            Ok(self.link.exists().then_some(()))
        })?;
        Ok(&self.link)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// Opens a port at 1200 baud and closes it: so a program asks for the bootloader, as on Arduino's boards.
///
/// # Errors
/// When the port can't be opened or set.
pub fn touch(link: &Path) -> Result<()> {
    const TOUCH_BAUD: u32 = 1200;
    let file = std::fs::OpenOptions::new().read(true).write(true).open(link)?;
    let mut settings = rustix::termios::tcgetattr(&file)?;
    settings.make_raw();
    settings.set_speed(TOUCH_BAUD)?;
    rustix::termios::tcsetattr(&file, OptionalActions::Now, &settings)?;
    Ok(())
}

struct Driver {
    voice: Arc<Voice>,
    commands: Arc<Mutex<Commands>>,
    socket: PathBuf,
    link: PathBuf,
    stop: Arc<AtomicBool>,
}

impl Driver {
    fn run(self) -> Result<()> {
        let mut served = 0;
        while !self.stop.load(Ordering::Relaxed) {
            let next = self.voice.wait(INTERVAL, |seen| {
                (seen.info.is_some() && seen.arrivals > served).then_some(seen.arrivals)
            });
            if let Some(arrival) = next {
                served = arrival;
                // A board that is gone again is seen at its next arrival.
                if let Err(error) = self.serve(arrival) {
                    eprintln!("a board has no terminal: {error:#}");
                }
            }
        }
        Ok(())
    }

    /// From one arrival of the board until it leaves.
    fn serve(&self, arrival: u32) -> Result<()> {
        let stream = OwnedFd::from(UnixStream::connect(&self.socket)?);
        let commands = Arc::clone(&self.commands);
        let port = Port::unannounced(move |line| carry(&line, &stream, &commands))?;
        // Made aside and moved, so that the link is never half there.
        let aside = self.link.with_extension("new");
        std::fs::remove_file(&aside).ok();
        std::os::unix::fs::symlink(port.node(), &aside)?;
        std::fs::rename(&aside, &self.link)?;
        let is_here = |seen: &super::process::Seen| seen.info.is_some() && seen.arrivals == arrival;
        while !self.stop.load(Ordering::Relaxed) {
            if self
                .voice
                .wait(INTERVAL, |seen| (!is_here(seen)).then_some(()))
                .is_some()
            {
                break;
            }
        }
        std::fs::remove_file(&self.link)?;
        drop(port);
        Ok(())
    }
}

/// Moves bytes, and tells the board of its control lines as the driver of a system does.
fn carry(line: &Line, stream: &OwnedFd, commands: &Mutex<Commands>) {
    let tell = |command: Value| {
        let mut commands = commands.lock().unwrap_or_else(PoisonError::into_inner);
        commands.give(&command).ok();
    };
    tell(is_ready(true));
    let mut buffer = vec![0; 65536];
    while let Some(bytes) = line.read_or(stream, Duration::from_millis(100)) {
        if !send(stream, &bytes) {
            return;
        }
        match recv(stream, &mut buffer[..], RecvFlags::DONTWAIT) {
            Ok((_, 0)) => return,
            Ok((_, len)) => {
                if !line.write(buffer.get(..len).unwrap_or_default()) {
                    return;
                }
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => return,
        }
        if line.take_closing() {
            tell(coding(line.baud()));
            tell(is_ready(false));
            tell(is_ready(true));
        }
    }
}

fn send(stream: &OwnedFd, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        match rustix::io::write(stream, bytes) {
            Ok(len) => bytes = bytes.get(len..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
    true
}

/// SET_CONTROL_LINE_STATE: data terminal ready, or not.
fn is_ready(ready: bool) -> Value {
    json!({ "do": "control", "kind": 0x21, "request": 0x22, "value": u8::from(ready), "index": 0, "length": 0 })
}

/// SET_LINE_CODING: this rate, 8N1.
fn coding(baud: u32) -> Value {
    let data: String = baud
        .to_le_bytes()
        .iter()
        .chain(&[0, 0, 8])
        .map(|byte| format!("{byte:02x}"))
        .collect();
    json!({ "do": "control", "kind": 0x21, "request": 0x20, "value": 0, "index": 0, "data": data })
}
