//! A micro:bit emulated by QEMU: the board's own binary on a Cortex-M0 with a modelled flash controller. And what QEMU has of an
//! STM32F407: its processor and its memory.
//!
//! Flash is loaded through the debugger, because QEMU copies what it loads itself again at every reset. RAM survives
//! resets, as on the chip.

mod client;
mod forged;
mod gdb;
mod images;
mod log;
mod qmp;
mod signing;

pub use client::Host;
pub(crate) use gdb::XPSR;
pub use gdb::{Gdb, Watched};
pub use images::{
    FLASH, Images, PAGE, PRIMARY, RAM, SECONDARY, SLOTS_END, STATE, bootloader, difference, program,
    with_bootloader, with_primary,
};
pub use log::{Operation, Recorder, undone};
pub use qmp::Qmp;
pub use signing::Signing;

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use bootlace_browser::wait_for;

use crate::tools;

/// How long QEMU may take to listen.
const START_LIMIT: Duration = Duration::from_secs(20);

/// What the board's line is on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// For [`Emulator::client`].
    Socket,
    /// A pseudo-terminal, for other programs.
    Terminal,
    /// Nothing; and instructions are counted.
    Counted,
    /// Nothing.
    None,
    /// For [`Emulator::client`], to listen only: where the program waits, its time passes at once.
    Rushed,
}

/// A board. It loses its power when dropped.
#[derive(Debug)]
pub struct Emulator {
    child: Child,
    pub(crate) folder: PathBuf,
    qmp: Arc<Mutex<Qmp>>,
    waker: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
}

impl Emulator {
    /// A board whose flash holds these bytes, as power comes: its processor has not begun yet.
    ///
    /// # Errors
    /// When QEMU is not there or does not start.
    pub fn new(line: Line, flash: &[u8]) -> Result<Self> {
        Self::with_flash("microbit", line, flash)
    }

    /// An STM32F405, which has the STM32F407's processor and memory, as power comes. Of what else a bootloader uses there is nothing:
    /// writes to flash are lost, registers of clocks and ports read 0, and the chip's own number is no memory at all.
    ///
    /// # Errors
    /// As [`Emulator::new`].
    pub fn stm32f405(flash: &[u8]) -> Result<Self> {
        Self::with_flash("netduinoplus2", Line::None, flash)
    }

    /// An emulator with a Cortex-M4 and memory from 0 and from 0x20000000 on, 4 MB each, stopped as after a reset: Arm's MPS2 with
    /// AN386.
    ///
    /// # Errors
    /// As [`Emulator::new`].
    pub fn mps2_cortex_m4(flash: &[u8]) -> Result<Self> {
        Self::with_flash("mps2-an386", Line::None, flash)
    }

    fn with_flash(machine: &str, line: Line, flash: &[u8]) -> Result<Self> {
        let emulator = Self::start(machine, line)?;
        let mut gdb = emulator.gdb()?;
        gdb.write(0, flash)?;
        // The processor fetches its first stack and instruction address from the flash that is there now.
        emulator.command("system_reset", json!({}))?;
        gdb.leave_stopped()?;
        Ok(emulator)
    }

    /// The same, running.
    ///
    /// # Errors
    /// As [`Emulator::new`].
    pub fn running(line: Line, flash: &[u8]) -> Result<Self> {
        let emulator = Self::new(line, flash)?;
        emulator.go()?;
        Ok(emulator)
    }

    fn start(machine: &str, line: Line) -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("bootlace-qemu-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let socket = |name: &str| format!("unix:{},server=on,wait=off", folder.join(name).display());
        let mut command = Command::new(tools::required("BOOTLACE_QEMU")?);
        command.args(["-M", machine, "-display", "none", "-monitor", "none", "-S"]);
        command.args([
            "-qmp",
            &socket("qmp"),
            "-gdb",
            &socket("gdb"),
            "-qtest",
            &socket("qtest"),
        ]);
        command.args(["-accel", "tcg", "-qtest-log", "none"]);
        match line {
            Line::Socket | Line::Rushed => {
                let path = folder.join("line");
                command.args([
                    "-chardev",
                    &format!("socket,id=line,path={},server=on,wait=off", path.display()),
                ]);
                command.args(["-serial", "chardev:line"]);
                if line == Line::Rushed {
                    command.args(["-icount", "shift=0,sleep=off"]);
                }
            }
            Line::Terminal => {
                command.args(["-chardev", "pty,id=line", "-serial", "chardev:line"]);
            }
            Line::None => {
                command.args(["-serial", "null"]);
            }
            Line::Counted => {
                command.args(["-serial", "null", "-icount"]);
                command.arg(format!(
                    "shift=0,rr=record,rrfile={}",
                    folder.join("record").display()
                ));
            }
        }
        let errors = std::fs::File::create(folder.join("errors"))?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .context("starting QEMU")?;
        let connected = wait_for("QEMU to listen", START_LIMIT, || {
            if let Some(status) = child.try_wait()? {
                let errors = std::fs::read_to_string(folder.join("errors")).unwrap_or_default();
                bail!("QEMU ended with {status}: {errors}");
            }
            Ok(UnixStream::connect(folder.join("qmp")).ok())
        });
        let qmp = connected.and_then(Qmp::new);
        let qmp = match qmp {
            Ok(qmp) => Arc::new(Mutex::new(qmp)),
            Err(error) => {
                child.kill().ok();
                child.wait().ok();
                return Err(error);
            }
        };
        let stop = Arc::new(AtomicBool::new(false));
        let waker =
            (!matches!(line, Line::Counted | Line::None)).then(|| wake(Arc::clone(&qmp), Arc::clone(&stop)));
        Ok(Self {
            child,
            folder,
            qmp,
            waker,
            stop,
        })
    }

    fn command(&self, name: &str, arguments: serde_json::Value) -> Result<serde_json::Value> {
        self.qmp
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .command(name, &arguments)
    }

    /// QEMU is gone, perhaps just now.
    pub(crate) fn has_ended(&mut self) -> bool {
        const SOON: Duration = Duration::from_secs(5);
        wait_for("QEMU to end", SOON, || Ok(self.child.try_wait()?.map(drop))).is_ok()
    }

    /// A command of QEMU's own console.
    pub(crate) fn console(&self, line: &str) -> Result<()> {
        self.command("human-monitor-command", json!({ "command-line": line }))
            .map(drop)
    }

    /// Lets the processor run.
    ///
    /// # Errors
    /// When QEMU is gone.
    pub fn go(&self) -> Result<()> {
        self.command("cont", json!({})).map(drop)
    }

    /// Halts the processor.
    ///
    /// # Errors
    /// When QEMU is gone.
    pub fn halt(&self) -> Result<()> {
        self.command("stop", json!({})).map(drop)
    }

    /// A reset from outside: somebody's finger, or the watchdog that QEMU does not emulate. RAM keeps what it holds.
    ///
    /// # Errors
    /// When QEMU is gone.
    pub fn reset(&self) -> Result<()> {
        self.command("system_reset", json!({})).map(drop)
    }

    /// Holds button A down until the next reset, which QEMU lets go of it at.
    ///
    /// # Errors
    /// When QEMU is gone.
    pub fn hold_button(&self) -> Result<()> {
        const BUTTON_A: u32 = 17;
        let stream = UnixStream::connect(self.folder.join("qtest"))?;
        // The button connects the pin to ground.
        let line = format!("set_irq_in /machine/nrf51 unnamed-gpio-in {BUTTON_A} 0\n");
        qmp::exchange(&stream, &line).context("the button")
    }

    /// A reset from outside while the button is held.
    ///
    /// # Errors
    /// When QEMU is gone.
    pub fn reset_holding_button(&self) -> Result<()> {
        self.halt()?;
        self.reset()?;
        // The reset is done when QEMU answers the next question.
        self.command("query-status", json!({}))?;
        self.hold_button()?;
        self.go()
    }

    /// Instructions since the start; only where they are counted.
    ///
    /// # Errors
    /// When QEMU is gone, or does not count.
    pub fn instructions(&self) -> Result<u64> {
        let replay = self.command("query-replay", json!({}))?;
        replay["icount"]
            .as_u64()
            .context("QEMU does not count instructions")
    }

    /// What the processor sees from `address` on.
    ///
    /// # Errors
    /// When QEMU is gone.
    pub fn memory(&self, address: u32, len: usize) -> Result<Vec<u8>> {
        let file = self.folder.join("memory");
        let name = file.to_str().context("the folder is not UTF-8")?;
        self.command(
            "memsave",
            json!({ "val": address, "size": len, "filename": name }),
        )?;
        Ok(std::fs::read(&file)?)
    }

    /// All of the flash.
    ///
    /// # Errors
    /// When QEMU is gone.
    pub fn flash(&self) -> Result<Vec<u8>> {
        self.memory(0, FLASH)
    }

    /// Most bytes of stack that were in use since the start: RAM was painted then.
    ///
    /// # Errors
    /// When QEMU is gone.
    pub fn peak_stack(&self) -> Result<usize> {
        let ram = self.memory(RAM.0, RAM.1)?;
        let is_painted = |word: &[u8]| word == [0xCC; 4];
        let words: Vec<&[u8]> = ram.chunks(4).collect();
        let first = words
            .iter()
            .position(|word| is_painted(word))
            .context("RAM was not painted")?;
        let used = words
            .iter()
            .skip(first)
            .position(|word| !is_painted(word))
            .unwrap_or(0);
        Ok(RAM.1 - 4 * (first + used))
    }

    /// The debugger; the processor stands still from now on.
    ///
    /// # Errors
    /// When QEMU is gone.
    pub fn gdb(&self) -> Result<Gdb> {
        Gdb::new(UnixStream::connect(self.folder.join("gdb"))?)
    }

    /// Who talks to the board.
    ///
    /// # Errors
    /// When QEMU is gone, or its line is not a socket.
    pub fn client(&self) -> Result<Host> {
        Ok(Host::new(UnixStream::connect(self.folder.join("line"))?))
    }

    /// The pseudo-terminal that is the board's line.
    ///
    /// # Errors
    /// When QEMU is gone, or its line is no terminal.
    pub fn terminal(&self) -> Result<PathBuf> {
        let devices = self.command("query-chardev", json!({}))?;
        let line = devices
            .as_array()
            .into_iter()
            .flatten()
            .find(|device| device["label"] == "line");
        let name = line.and_then(|line| line["filename"].as_str()?.strip_prefix("pty:"));
        Ok(Path::new(name.context("the line is no terminal")?).to_owned())
    }

    /// Takes the power away and gives what the flash holds.
    ///
    /// # Errors
    /// When QEMU is gone.
    pub fn power_down(self) -> Result<Vec<u8>> {
        self.halt()?;
        self.flash()
    }
}

/// QEMU's UART does not wake its main loop when it begins to listen, so the first bytes to it could wait for a second:
/// any command wakes it.
fn wake(qmp: Arc<Mutex<Qmp>>, stop: Arc<AtomicBool>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            let woken = qmp
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .command("query-status", &json!({}));
            if woken.is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    })
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.child.kill().ok();
        self.child.wait().ok();
        if let Some(waker) = self.waker.take() {
            waker.join().ok();
        }
        std::fs::remove_dir_all(&self.folder).ok();
    }
}
