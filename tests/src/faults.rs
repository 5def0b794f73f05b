//! Skipped instructions: what a glitch of supply or clock does to a processor, tried one at a time on the unmodified
//! bootloader with an image that may not start.
//!
//! A run starts at reset, with RAM as an application left it, or at a turn of the bootloader's loop, with RAM, flash and
//! registers as they are then. From there on an instruction is skipped, at each of its executions or at one of them, and the
//! run ends when the bootloader serves or the processor is in the image.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use bootlace_image::Algorithm;

use crate::qemu::{
    Emulator, Gdb, Images, Line, PAGE, PRIMARY, RAM, SECONDARY, Signing, Watched, XPSR, bootloader,
    with_bootloader,
};
use crate::tools;

/// The UART's register that opens the line: the bootloader serves, and starts no image.
const SERVES: Watched = (0x4000_2500, 4);
/// The watchdog's register that is written in each turn of the bootloader's loop.
const TURN: Watched = (0x4001_0600, 4);
/// `nop` of an Armv6-M.
const NOP: [u8; 2] = [0x00, 0xBF];
/// How long a faulty run may take before it is looked at, and then once more. Without a fault it takes a tenth of that.
const LOOKS: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(300)];
/// How long a run without a fault may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A part of a run, in which instructions are skipped.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Its name, as figures have it.
    pub name: &'static str,
    /// What the board checks.
    pub algorithm: Algorithm,
    /// How the image is signed.
    pub signing: Signing,
    /// The turn that it begins with, counted back from the last one before the bootloader serves; `None`: at reset.
    pub from: Option<usize>,
    /// Turns that it lasts; `None`: until the bootloader serves.
    pub turns: Option<usize>,
}

/// What is swept: whole runs where no signature is computed, and of those with one its beginning, its first sum and its end. In between
/// numbers are multiplied by the same instructions. A self-test of Ed25519's arithmetic lies in the beginning.
pub fn windows() -> Vec<Window> {
    use Algorithm::{Ed25519, P256};
    /// Turns of a signature's check: 4 for 1 / s, or 16 for two roots, and 32 for the sum, of a million instructions each.
    const fn turns(algorithm: Algorithm) -> usize {
        match algorithm {
            Ed25519 => 48,
            _ => 36,
        }
    }
    let whole = |name, algorithm, signing| Window {
        name,
        algorithm,
        signing,
        from: None,
        turns: None,
    };
    // The digest's verdict, the signatures' count and the search for one lie before a signature's check.
    let begin = |name, algorithm, signing| Window {
        from: Some(turns(algorithm) + 8),
        turns: Some(12),
        ..whole(name, algorithm, signing)
    };
    // As far as the sum's first step.
    let sum = |name, algorithm| Window {
        turns: Some(turns(algorithm) + 8 - 30),
        ..begin(name, algorithm, Signing::CutShort)
    };
    let end = |name, algorithm, signing| Window {
        from: Some(2),
        ..whole(name, algorithm, signing)
    };
    vec![
        whole("missing-signature", P256, Signing::Missing),
        whole("altered-image", P256, Signing::Altered),
        begin("bad-signature-begin", P256, Signing::OtherKey),
        end("bad-signature-end", P256, Signing::OtherKey),
        begin("base-point-begin", P256, Signing::BasePoint),
        end("base-point-end", P256, Signing::BasePoint),
        whole("own-addresses", P256, Signing::OwnAddresses),
        whole("jump-addresses", P256, Signing::JumpAddresses),
        end("signature-of-addresses-end", P256, Signing::SignatureOfAddresses),
        sum("cut-short", P256),
        whole("ed25519-missing-signature", Ed25519, Signing::Missing),
        begin("ed25519-bad-signature-begin", Ed25519, Signing::OtherKey),
        end("ed25519-bad-signature-end", Ed25519, Signing::OtherKey),
        begin("ed25519-nothing-hashed-begin", Ed25519, Signing::NothingHashed),
        end("ed25519-nothing-hashed-end", Ed25519, Signing::NothingHashed),
        begin("ed25519-key-left-out-begin", Ed25519, Signing::KeyLeftOut),
        sum("ed25519-cut-short", Ed25519),
    ]
}

/// Which executions of an instruction are skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// All of them, in the window and after it.
    All,
    /// That one of the window, counted from 1.
    Nth(u32),
}

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skip {
    /// Address of the instruction.
    pub address: u32,
    /// Which executions.
    pub times: Times,
}

/// How a faulty run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The image runs.
    Boots,
    /// The bootloader serves.
    Serves,
    /// Neither within the time, or the processor locks up: a watchdog's matter.
    Hangs,
}

/// All of a board's state that matters here.
#[derive(Debug)]
struct Snapshot {
    registers: [u32; 16],
    flags: u32,
    ram: Vec<u8>,
    flash: Vec<u8>,
}

/// A board at the start of a window.
#[derive(Debug)]
pub struct Faults {
    board: Emulator,
    gdb: Gdb,
    window: Window,
    start: Snapshot,
}

/// The board that checks Ed25519, filled with a key that is for tests only, and what its private half signs.
fn ed25519_board() -> Result<(Images, Vec<u8>)> {
    static FILLED: OnceLock<Result<Vec<u8>, String>> = OnceLock::new();
    let key = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/image/tests/data/ed25519.pub.pem");
    let filled = FILLED.get_or_init(|| {
        let folder = std::env::temp_dir().join(format!("bootlace-faults-{}", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let filled = tools::filled(&folder, "qemu-microbit-ed25519", "bin", &key);
        filled.map_err(|error| format!("{error:#}"))
    });
    let filled = filled.clone().map_err(|error| anyhow!(error))?;
    Ok((Images::with_key(&key.with_file_name("ed25519.pem"))?, filled))
}

impl Faults {
    /// # Errors
    /// When QEMU is gone, or the image starts without a fault where the window begins at a turn.
    pub fn new(window: Window) -> Result<Self> {
        let (images, bootloader) = match window.algorithm {
            Algorithm::Ed25519 => ed25519_board()?,
            _ => (Images::new()?, bootloader()?),
        };
        let flash = with_bootloader(&bootloader, Some(&images.standing_still(window.signing)?));
        let board = Emulator::new(Line::None, &flash)?;
        let mut gdb = board.gdb()?;
        let mut ram = vec![0; RAM.1];
        // The word that names the running image's vector table (`boards/cortex-m/src/retained.rs`).
        let vectors = (PRIMARY + usize::from(Images::HEADER)) as u32;
        ram.splice(..4, vectors.to_le_bytes());
        let start = Snapshot {
            registers: gdb.registers()?,
            flags: gdb.xpsr()?,
            ram,
            flash,
        };
        gdb.watch(SERVES)?;
        gdb.stop_at(Images::STANDING_STILL)?;
        gdb.stop_at(Images::STANDING_STILL + 2)?;
        let mut faults = Faults {
            board,
            gdb,
            window,
            start,
        };
        if let Some(from) = window.from {
            faults.restore()?;
            let all = faults.take_turns(usize::MAX)?;
            let before = all.checked_sub(from).context("there are not so many turns")?;
            faults.restore()?;
            faults.take_turns(before)?;
            faults.start = faults.snapshot()?;
        }
        Ok(faults)
    }

    /// Runs to the start of the turn of that number, counted from 1, or until the bootloader serves; gives how many began.
    fn take_turns(&mut self, most: usize) -> Result<usize> {
        let mut turns = 0;
        while turns < most {
            self.gdb.watch(TURN)?;
            self.gdb.go()?;
            let stopped = self.gdb.stopped_within(PATIENCE)?.context("the board hangs")?;
            self.gdb.unwatch(TURN)?;
            match stopped {
                Some(at) if at == TURN.0 => turns += 1,
                Some(_) => break,
                None => bail!("the image starts without a fault"),
            }
            if turns < most {
                self.gdb.step()?;
            }
        }
        Ok(turns)
    }

    fn snapshot(&mut self) -> Result<Snapshot> {
        Ok(Snapshot {
            registers: self.gdb.registers()?,
            flags: self.gdb.xpsr()?,
            ram: self.board.memory(RAM.0, RAM.1)?,
            flash: self.board.flash()?,
        })
    }

    /// Back to the start of the window.
    fn restore(&mut self) -> Result<()> {
        self.board.reset()?;
        // The reset is done when QEMU has answered the next question.
        let memories = [
            (0, self.board.flash()?, &self.start.flash),
            (RAM.0, self.board.memory(RAM.0, RAM.1)?, &self.start.ram),
        ];
        for (start, is, wanted) in memories {
            let parts = is.chunks(PAGE).zip(wanted.chunks(PAGE));
            for ((is, wanted), at) in parts.zip((start..).step_by(PAGE)) {
                if is != wanted {
                    self.gdb.write(at, wanted)?;
                }
            }
        }
        self.gdb.set_register(XPSR, self.start.flags)?;
        for (number, value) in (0..).zip(self.start.registers) {
            self.gdb.set_register(number, value)?;
        }
        Ok(())
    }

    /// The instructions of the window, and how often each is executed in it without a fault.
    ///
    /// # Errors
    /// When QEMU is gone, or the bootloader does not serve in the end.
    pub fn trace(&mut self) -> Result<BTreeMap<u32, u32>> {
        self.restore()?;
        let log = self.board.folder.join("trace");
        for line in [
            "singlestep on",
            &format!("logfile {}", log.display()),
            "log exec,nochain",
        ] {
            self.board.console(line)?;
        }
        // The window may begin where a turn does: that turn is counted, too.
        self.take_turns(self.window.turns.map_or(usize::MAX, |turns| turns + 1))?;
        for line in ["log none", "singlestep off", "logfile /dev/null"] {
            self.board.console(line)?;
        }
        let mut executed = BTreeMap::new();
        for line in BufReader::new(File::open(&log)?).lines() {
            // `Trace 0: 0x7f0c [00800400/00000abc/00000510/ff020601] `
            let line = line?;
            let address = line
                .split('/')
                .nth(1)
                .and_then(|digits| u32::from_str_radix(digits, 16).ok());
            if let Some(address) = address.filter(|_| line.starts_with("Trace")) {
                *executed.entry(address).or_insert(0) += 1;
            }
        }
        std::fs::remove_file(log)?;
        ensure!(!executed.is_empty(), "QEMU wrote no trace");
        Ok(executed)
    }

    /// The faults of the window: each instruction at all its executions, at the first three, and at the last one where
    /// there are at most 200.
    ///
    /// # Errors
    /// As [`Faults::trace`].
    pub fn skips(&mut self) -> Result<Vec<Skip>> {
        const FIRST: u32 = 3;
        const FEW: u32 = 200;
        let skips = self.trace()?.into_iter().flat_map(|(address, count)| {
            let first = (1..=count.min(FIRST)).map(Times::Nth);
            let last = (FIRST < count && count <= FEW).then_some(Times::Nth(count));
            let times = first.chain(last).chain([Times::All]);
            times.map(move |times| Skip { address, times })
        });
        Ok(skips.collect())
    }

    /// Bytes of the instruction at `address`.
    fn instruction_len(&self, address: u32) -> u32 {
        let high = self.start.flash.get(address as usize + 1).copied();
        // Armv6-M Architecture Reference Manual, A5.1: 0b11101, 0b11110 and 0b11111 begin 32 bits.
        if high.unwrap_or_default() >> 3 >= 0b11101 {
            4
        } else {
            2
        }
    }

    /// Runs with that fault.
    ///
    /// # Errors
    /// When QEMU can't be started again.
    pub fn run(&mut self, skip: Skip) -> Result<End> {
        match self.run_once(skip) {
            // QEMU gives up where a processor locks up: at a fault in the handler of faults.
            Err(_) if self.board.has_ended() => {
                *self = Faults::new(self.window)?;
                Ok(End::Hangs)
            }
            ended => ended,
        }
    }

    fn run_once(&mut self, skip: Skip) -> Result<End> {
        self.restore()?;
        let next = skip.address + self.instruction_len(skip.address);
        match skip.times {
            Times::All => {
                for at in (skip.address..next).step_by(NOP.len()) {
                    self.gdb.write(at, &NOP)?;
                }
            }
            Times::Nth(nth) => {
                for execution in 1..=nth {
                    self.gdb.stop_at(skip.address)?;
                    self.gdb.go()?;
                    self.gdb.stopped_within(PATIENCE)?.context("the board hangs")?;
                    self.gdb.pass(skip.address)?;
                    let [.., at] = self.gdb.registers()?;
                    // An instruction at which the trace stopped was counted once more.
                    if at != skip.address {
                        return Ok(End::Serves);
                    }
                    if execution < nth {
                        self.gdb.step()?;
                    }
                }
                const PROGRAM_COUNTER: u8 = 15;
                self.gdb.set_register(PROGRAM_COUNTER, next)?;
            }
        }
        for limit in LOOKS {
            self.gdb.go()?;
            if self.gdb.stopped_within(limit)?.is_some() {
                return Ok(if self.is_in_image()? {
                    End::Boots
                } else {
                    End::Serves
                });
            }
            self.gdb.interrupt()?;
            if self.is_in_image()? {
                return Ok(End::Boots);
            }
        }
        Ok(End::Hangs)
    }

    fn is_in_image(&mut self) -> Result<bool> {
        let [.., at] = self.gdb.registers()?;
        Ok((PRIMARY as u32..SECONDARY as u32).contains(&at))
    }
}
