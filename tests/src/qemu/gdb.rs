//! QEMU's debugger: gdb's remote protocol, as much of it as power cuts need.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

/// Longest time for an answer, a watchpoint included.
const PATIENCE: Duration = Duration::from_secs(30);
/// The number of the register of flags.
pub(crate) const XPSR: u8 = 25;
/// Bytes written by one command.
const PIECE: usize = 1024;

/// A connection; the processor stands still unless [`Gdb::go`] let it run.
#[derive(Debug)]
pub struct Gdb {
    stream: UnixStream,
    received: Vec<u8>,
}

/// Addresses that are watched for writes: start and bytes.
pub type Watched = (u32, u32);

impl Gdb {
    pub(super) fn new(stream: UnixStream) -> Result<Self> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut gdb = Self {
            stream,
            received: Vec::new(),
        };
        // It tells, perhaps twice, that the processor was stopped: what is asked next skips that.
        gdb.send("?")?;
        gdb.registers()?;
        // Only whoever has asked for the list of registers may ask for one.
        gdb.ask("qXfer:features:read:target.xml:0,ffb")?;
        Ok(gdb)
    }

    fn send(&mut self, packet: &str) -> Result<()> {
        let sum = packet.bytes().fold(0u8, u8::wrapping_add);
        Ok(self.stream.write_all(format!("${packet}#{sum:02x}").as_bytes())?)
    }

    fn answer(&mut self) -> Result<String> {
        loop {
            let start = self.received.iter().position(|&byte| byte == b'$');
            let end = self.received.iter().position(|&byte| byte == b'#');
            if let (Some(start), Some(end)) = (start, end)
                && self.received.len() >= end + 3
            {
                let packet = String::from_utf8_lossy(self.received.get(start + 1..end).unwrap_or_default())
                    .into_owned();
                self.received.drain(..end + 3);
                self.stream.write_all(b"+")?;
                return Ok(packet);
            }
            let mut bytes = [0; 4096];
            let len = self
                .stream
                .read(&mut bytes)
                .context("the debugger does not answer")?;
            ensure!(len > 0, "the debugger is gone");
            self.received
                .extend_from_slice(bytes.get(..len).unwrap_or_default());
        }
    }

    fn ask(&mut self, packet: &str) -> Result<String> {
        self.send(packet)?;
        loop {
            let answer = self.answer()?;
            if !answer.starts_with('T') {
                return Ok(answer);
            }
        }
    }

    fn order(&mut self, packet: &str) -> Result<()> {
        match self.ask(packet)?.as_str() {
            "OK" => Ok(()),
            other => bail!("{}: {other:?}", packet.get(..20).unwrap_or(packet)),
        }
    }

    /// Writes memory, flash included.
    ///
    /// # Errors
    /// When QEMU is gone.
    pub fn write(&mut self, address: u32, bytes: &[u8]) -> Result<()> {
        for (piece, at) in bytes.chunks(PIECE).zip((address..).step_by(PIECE)) {
            let digits: String = piece.iter().map(|byte| format!("{byte:02x}")).collect();
            self.order(&format!("M{at:x},{:x}:{digits}", piece.len()))?;
        }
        Ok(())
    }

    /// Reads memory.
    ///
    /// # Errors
    /// When QEMU is gone.
    pub fn read(&mut self, address: u32, len: usize) -> Result<Vec<u8>> {
        let digits = self.ask(&format!("m{address:x},{len:x}"))?;
        let byte = |at| {
            digits
                .get(at..at + 2)
                .and_then(|pair| u8::from_str_radix(pair, 16).ok())
        };
        (0..digits.len())
            .step_by(2)
            .map(byte)
            .collect::<Option<_>>()
            .context("no memory")
    }

    /// Registers r0 to r15.
    ///
    /// # Errors
    /// When QEMU is gone.
    pub fn registers(&mut self) -> Result<[u32; 16]> {
        let digits = self.ask("g")?;
        let mut registers = [0; 16];
        for (register, at) in registers.iter_mut().zip((0..).step_by(8)) {
            let word = digits
                .get(at..at + 8)
                .and_then(|word| u32::from_str_radix(word, 16).ok());
            *register = word.context("no registers")?.swap_bytes();
        }
        Ok(registers)
    }

    /// Sets a register: r0 to r15, or [`XPSR`].
    ///
    /// # Errors
    /// When QEMU is gone.
    pub fn set_register(&mut self, number: u8, value: u32) -> Result<()> {
        self.order(&format!("P{number:x}={:08x}", value.swap_bytes()))
    }

    /// The register of flags and of the exception under way.
    ///
    /// # Errors
    /// When QEMU is gone.
    pub fn xpsr(&mut self) -> Result<u32> {
        let digits = self.ask(&format!("p{XPSR:x}"))?;
        let word = u32::from_str_radix(&digits, 16).context("no register")?;
        Ok(word.swap_bytes())
    }

    /// Stops before whoever writes there.
    ///
    /// # Errors
    /// When QEMU is gone.
    pub fn watch(&mut self, (start, len): Watched) -> Result<()> {
        self.order(&format!("Z2,{start:x},{len:x}"))
    }

    /// No longer.
    ///
    /// # Errors
    /// When QEMU is gone.
    pub fn unwatch(&mut self, (start, len): Watched) -> Result<()> {
        self.order(&format!("z2,{start:x},{len:x}"))
    }

    /// Stops at the instruction there.
    ///
    /// # Errors
    /// When QEMU is gone.
    pub fn stop_at(&mut self, address: u32) -> Result<()> {
        self.order(&format!("Z1,{address:x},2"))
    }

    /// No longer.
    ///
    /// # Errors
    /// When QEMU is gone.
    pub fn pass(&mut self, address: u32) -> Result<()> {
        self.order(&format!("z1,{address:x},2"))
    }

    /// Runs one instruction.
    ///
    /// # Errors
    /// When QEMU is gone.
    pub fn step(&mut self) -> Result<()> {
        self.send("s")?;
        self.answer().map(drop)
    }

    /// Lets the processor run.
    ///
    /// # Errors
    /// When QEMU is gone.
    pub fn go(&mut self) -> Result<()> {
        self.send("c")
    }

    /// Waits until it stops; gives the address that was about to be written, if that is why.
    ///
    /// # Errors
    /// When it does not stop in time.
    pub fn stopped(&mut self) -> Result<Option<u32>> {
        let why = self.answer()?;
        let address = why.split(';').find_map(|part| part.split_once("watch:"));
        Ok(address.and_then(|(_, digits)| u32::from_str_radix(digits, 16).ok()))
    }

    /// The same, but gives up after `limit`: then it still runs, and `None` is returned.
    ///
    /// # Errors
    /// When QEMU is gone.
    pub fn stopped_within(&mut self, limit: Duration) -> Result<Option<Option<u32>>> {
        self.stream.set_read_timeout(Some(limit))?;
        let stopped = self.stopped();
        self.stream.set_read_timeout(Some(PATIENCE))?;
        match stopped {
            Ok(address) => Ok(Some(address)),
            Err(error) => match error.root_cause().downcast_ref::<std::io::Error>() {
                Some(error)
                    if matches!(
                        error.kind(),
                        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                    ) =>
                {
                    Ok(None)
                }
                _ => Err(error),
            },
        }
    }

    /// Stops a processor that runs.
    ///
    /// # Errors
    /// When it does not stop.
    pub fn interrupt(&mut self) -> Result<()> {
        self.stream.write_all(&[3])?;
        self.answer().map(drop)
    }

    /// Ends the debugger and leaves the processor where it is.
    pub(super) fn leave_stopped(self) -> Result<()> {
        // Leaving lets it run; closing the connection does not.
        drop(self);
        Ok(())
    }
}
