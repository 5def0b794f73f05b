//! The emulator as a process, and what it can be told.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use super::hex::hex;
use crate::qemu::Host;
use crate::tools;

/// Longest time for a start with its checks of signatures, an answer, or a board to go: on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A function of the board on USB that carries SMP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// The serial port.
    Serial,
    /// The vendor interface.
    Vendor,
}

impl Function {
    /// What the emulator calls it.
    const fn name(self) -> &'static str {
        match self {
            Function::Serial => "serial",
            Function::Vendor => "vendor",
        }
    }
}

/// The flash chip's own number, where no test needs another one: the board's serial number.
const UNIQUE_ID: [u8; 8] = [0xE6, 0x61, 0x41, 0x04, 0x03, 0x2A, 0x56, 0x2C];

/// When the supply is cut, seen from a flash operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Before anything changed.
    Before,
    /// Half of the bytes have changed.
    Within,
    /// All of it is done, and nothing after it.
    After,
}

/// What the board says of itself on USB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// Vendor and product number.
    pub numbers: (u16, u16),
    /// What people call it.
    pub name: String,
    /// Serial number.
    pub serial: String,
}

/// What the emulator has told of its own accord.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Who is on the bus.
    pub(super) info: Option<Info>,
    /// How often somebody came.
    pub(super) arrivals: u32,
    /// How often the supply was cut by [`Pico::cut`].
    cuts: u32,
    /// The last trouble of the USB host.
    trouble: Option<String>,
    ended: bool,
}

/// The emulator's voice: what it has told, and who waits for more.
#[derive(Debug, Default)]
pub(super) struct Voice {
    seen: Mutex<Seen>,
    news: Condvar,
}

impl Voice {
    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `wanted` gives something of what was told.
    pub(super) fn wait<T>(&self, limit: Duration, mut wanted: impl FnMut(&Seen) -> Option<T>) -> Option<T> {
        let mut found = None;
        let waits = |seen: &mut Seen| {
            found = wanted(seen);
            found.is_none() && !seen.ended
        };
        drop(self.news.wait_timeout_while(self.seen(), limit, waits));
        found
    }

    fn note(&self, line: &Value) {
        let mut seen = self.seen();
        match line["event"].as_str() {
            Some("attached") => {
                let info = &line["info"];
                let text = |key: &str| info[key].as_str().unwrap_or_default().to_owned();
                let number = |key: &str| info[key].as_u64().unwrap_or_default() as u16;
                seen.info = Some(Info {
                    numbers: (number("vendor"), number("product")),
                    name: text("name"),
                    serial: text("serial"),
                });
                seen.arrivals += 1;
            }
            Some("detached") => seen.info = None,
            Some("power-cut") => seen.cuts += 1,
            _ => seen.trouble = Some(line.to_string()),
        }
        drop(seen);
        self.news.notify_all();
    }

    fn listen(&self, output: ChildStdout, answers: &Sender<Value>) {
        for line in BufReader::new(output).lines().map_while(std::io::Result::ok) {
            match serde_json::from_str::<Value>(&line) {
                Ok(event) if event["event"].is_string() => self.note(&event),
                Ok(answer) => drop(answers.send(answer)),
                Err(error) => self.seen().trouble = Some(format!("{error}: {line}")),
            }
        }
        self.seen().ended = true;
        self.news.notify_all();
    }
}

/// Gives commands, one at a time.
#[derive(Debug)]
pub(super) struct Commands {
    input: ChildStdin,
    answers: Receiver<Value>,
}

impl Commands {
    pub(super) fn give(&mut self, command: &Value) -> Result<Value> {
        writeln!(self.input, "{command}").context("the emulator has ended")?;
        let answer = self.answers.recv_timeout(PATIENCE);
        let answer = answer.with_context(|| format!("the emulator does not answer {command}"))?;
        match answer["error"].as_str() {
            Some(error) => bail!("{command}: {error}"),
            None => Ok(answer["answer"].clone()),
        }
    }
}

/// A folder that nobody else has: in process namespaces several processes have the same number.
fn new_folder() -> Result<PathBuf> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("bootlace-rp2040-{}-{number}", std::process::id()));
        match std::fs::create_dir(&folder) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            made => return made.map(|()| folder).context("a folder for the emulated board"),
        }
    }
}

/// An emulated board. It loses its power when dropped.
#[derive(Debug)]
pub struct Pico {
    child: Child,
    folder: PathBuf,
    pub(super) voice: Arc<Voice>,
    pub(super) commands: Arc<Mutex<Commands>>,
}

impl Pico {
    /// A board whose flash holds these bytes, without power.
    ///
    /// # Errors
    /// When Node or the emulator is not there.
    pub fn new(flash: &[u8]) -> Result<Self> {
        Self::numbered(flash, UNIQUE_ID)
    }

    /// The same whose flash chip has this number, from which the board makes its serial number.
    ///
    /// # Errors
    /// As [`Pico::new`].
    pub fn numbered(flash: &[u8], unique_id: [u8; 8]) -> Result<Self> {
        let folder = new_folder()?;
        std::fs::write(folder.join("flash"), flash)?;
        // Asked for here, so that what is missing has a name.
        let emulator = tools::required("BOOTLACE_RP2040JS")?;
        let bootrom = tools::required("BOOTLACE_RP2040_BOOTROM")?;
        let mut child = Command::new("node")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("rp2040/emulator.mjs"))
            .arg(&folder)
            .arg(folder.join("flash"))
            .arg(hex(&unique_id))
            .env("BOOTLACE_RP2040JS", emulator)
            .env("BOOTLACE_RP2040_BOOTROM", bootrom)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting node")?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (input, output) = (input.context("no input")?, output.context("no output")?);
        let (voice, (sender, answers)) = (Arc::<Voice>::default(), channel());
        let listener = Arc::clone(&voice);
        std::thread::spawn(move || listener.listen(output, &sender));
        Ok(Self {
            child,
            folder,
            voice,
            commands: Arc::new(Mutex::new(Commands { input, answers })),
        })
    }

    /// The same with power.
    ///
    /// # Errors
    /// As [`Pico::new`].
    pub fn running(flash: &[u8]) -> Result<Self> {
        let pico = Self::new(flash)?;
        pico.power(true)?;
        Ok(pico)
    }

    /// The most bytes of the bootloader's RAM that were used since the last call: static data, and the stack where it was
    /// deepest. Counted are its starts until it gave way to an application, and the present one when it serves.
    ///
    /// # Errors
    /// When the emulator is gone, or the bootloader has not run.
    pub fn ram_used(&self) -> Result<u64> {
        let used = self.command(&json!({ "do": "ramUsed" }))?;
        used.as_u64()
            .with_context(|| format!("no bootloader has run: {used}"))
    }

    /// Gives the emulator a command of its own: see `tests/rp2040/emulator.mjs`.
    ///
    /// # Errors
    /// What the emulator says.
    pub fn command(&self, command: &Value) -> Result<Value> {
        let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        commands.give(command)
    }

    /// Gives the board power or takes it away.
    ///
    /// # Errors
    /// When the emulator is gone.
    pub fn power(&self, on: bool) -> Result<()> {
        self.command(&json!({ "do": "power", "on": on })).map(drop)
    }

    /// Holds the bootloader's pin to ground, or lets it go.
    ///
    /// # Errors
    /// When the emulator is gone.
    pub fn hold_button(&self, held: bool) -> Result<()> {
        self.command(&json!({ "do": "hold", "button": "bootloader", "held": held }))
            .map(drop)
    }

    /// Holds BOOTSEL, which the boot ROM looks at when the board gets power, or lets it go.
    ///
    /// # Errors
    /// When the emulator is gone.
    pub fn hold_bootsel(&self, held: bool) -> Result<()> {
        self.command(&json!({ "do": "hold", "button": "bootsel", "held": held }))
            .map(drop)
    }

    /// A reset by the pin. RAM keeps what it holds.
    ///
    /// # Errors
    /// When the emulator is gone.
    pub fn reset(&self) -> Result<()> {
        self.command(&json!({ "do": "reset" })).map(drop)
    }

    /// Cuts the supply at the flash operation of this number from now on, counted from 1.
    ///
    /// # Errors
    /// When the emulator is gone.
    pub fn cut(&self, at: u32, when: Cut) -> Result<()> {
        let when = match when {
            Cut::Before => "before",
            Cut::Within => "within",
            Cut::After => "after",
        };
        self.command(&json!({ "do": "cut", "at": at, "when": when }))
            .map(drop)
    }

    /// How often the supply was cut by [`Pico::cut`].
    pub fn cuts(&self) -> u32 {
        self.voice.seen().cuts
    }

    /// Waits until the supply has been cut so often.
    ///
    /// # Errors
    /// When it is not.
    pub fn wait_for_cut(&self, times: u32) -> Result<()> {
        let cut = self
            .voice
            .wait(PATIENCE, |seen| (seen.cuts >= times).then_some(()));
        cut.context("the supply was not cut")
    }

    /// Has the flash hold these bytes; the board has no power meanwhile.
    ///
    /// # Errors
    /// When the emulator is gone.
    pub fn put(&self, flash: &[u8]) -> Result<()> {
        std::fs::write(self.folder.join("flash"), flash)?;
        self.command(&json!({ "do": "put" })).map(drop)
    }

    /// Has emulated time pass at once where the board only waits.
    ///
    /// # Errors
    /// When the emulator is gone.
    pub fn hurry(&self, on: bool) -> Result<()> {
        self.command(&json!({ "do": "hurry", "on": on })).map(drop)
    }

    /// The same until a host has configured the board.
    ///
    /// # Errors
    /// When the emulator is gone.
    pub fn hurry_until_here(&self) -> Result<()> {
        self.command(&json!({ "do": "hurry", "on": true, "untilHere": true }))
            .map(drop)
    }

    /// What the flash holds.
    ///
    /// # Errors
    /// When the emulator is gone.
    pub fn flash(&self) -> Result<Vec<u8>> {
        self.command(&json!({ "do": "flash" }))?;
        Ok(std::fs::read(self.folder.join("flash"))?)
    }

    /// A number of the emulator's state: `operations` of flash, `instructions`, `resets`, `millis`.
    ///
    /// # Errors
    /// When the emulator is gone, or knows no such number.
    pub fn count(&self, name: &str) -> Result<f64> {
        let state = self.command(&json!({ "do": "state" }))?;
        state[name]
            .as_f64()
            .with_context(|| format!("no {name}: {state}"))
    }

    /// That the board did nothing that its hardware would not have done: nothing was read from flash that could not be read, no bit
    /// of it was set by programming, no packet of USB was repeated, no instruction was unknown.
    ///
    /// # Errors
    /// What it did.
    pub fn behaved(&self) -> Result<()> {
        let state = self.command(&json!({ "do": "state" }))?;
        let is_well = state["violations"] == json!([]) && state["repeated"] == 0 && state["isStuck"] == false;
        ensure!(is_well, "{state}");
        Ok(())
    }

    /// Who is on the bus; waits until somebody is.
    ///
    /// # Errors
    /// When nobody comes.
    pub fn info(&self) -> Result<Info> {
        let cuts = self.cuts();
        let news = self.voice.wait(PATIENCE, |seen| {
            let was_cut = seen.cuts > cuts;
            (was_cut || seen.info.is_some()).then(|| seen.info.clone())
        });
        let info = news.flatten();
        info.with_context(|| format!("no board comes: {:?}", self.voice.seen()))
    }

    /// How often a board came to the bus.
    pub fn arrivals(&self) -> u32 {
        self.voice.seen().arrivals
    }

    /// Waits until a board comes that was not there when `arrivals` was asked for.
    ///
    /// # Errors
    /// When none comes.
    pub fn wait_beyond(&self, arrivals: u32) -> Result<Info> {
        let next = self.voice.wait(PATIENCE, |seen| {
            seen.info.clone().filter(|_| seen.arrivals > arrivals)
        });
        next.with_context(|| format!("no board comes back: {:?}", self.voice.seen()))
    }

    /// Who talks to the board, once it is there.
    ///
    /// # Errors
    /// When no board comes.
    pub fn client(&self, function: Function) -> Result<Host> {
        self.info()?;
        Ok(Host::new(self.connect(function)?).with_patience(PATIENCE))
    }

    /// The longest that a client of this function waited for an answer since the last call, in milliseconds of the board's
    /// time, from the first byte of a request to the first of its answer; `None` where nothing was answered.
    ///
    /// # Errors
    /// When the emulator is gone.
    pub fn slowest_answer(&self, function: Function) -> Result<Option<f64>> {
        let longest = self.command(&json!({ "do": "slowest", "name": function.name() }))?;
        Ok(longest.as_f64())
    }

    /// Milliseconds of the board's time from the first erase or program since the last call to the end of the last one; the
    /// board must not have been reset between them.
    ///
    /// # Errors
    /// When the emulator is gone, or the flash did nothing.
    pub fn flash_span(&self) -> Result<f64> {
        let span = self.command(&json!({ "do": "span" }))?;
        span.as_f64().context("the flash did nothing")
    }

    fn connect(&self, function: Function) -> Result<UnixStream> {
        Ok(UnixStream::connect(self.folder.join(function.name()))?)
    }

    /// A folder of this board's own.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Pico {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        std::fs::remove_dir_all(&self.folder).ok();
    }
}
