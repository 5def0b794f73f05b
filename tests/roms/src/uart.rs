//! The serial loader in the STM32F407's ROM, protocol 3.1.
//!
//! *AN* is ST's AN3155, *AN2606* says what this chip's ROM does otherwise. The line's parity is the line's: a byte that the line has
//! damaged is not handed to the model, as hardware does not take one with a wrong parity.

use std::collections::VecDeque;
use std::time::Duration;

use crate::flash::Flash;

const ACK: u8 = 0x79;
const NACK: u8 = 0x1F;
/// The commands that there are, in the order of Get's answer (AN, 3.1).
const COMMANDS: [u8; 11] = [0x00, 0x01, 0x02, 0x11, 0x21, 0x31, 0x44, 0x63, 0x73, 0x82, 0x92];
/// Version 3.1 (AN2606, table of the STM32F40xxx's loader).
const VERSION: u8 = 0x31;
/// The chip's own memory: RAM without the part that the loader uses, and the ROM with the number of kilobytes (AN2606).
const RAM: std::ops::Range<u32> = 0x2000_2000..0x2002_0000;
const ROM: std::ops::Range<u32> = 0x1FFF_0000..0x1FFF_7A10;
const ABOUT: std::ops::Range<u32> = 0x1FFF_7A00..0x1FFF_7B00;
const OPTIONS: std::ops::Range<u32> = 0x1FFF_C000..0x1FFF_C010;

/// What documents leave open, or what chips are seen to do otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub struct Habits {
    /// An address that there is not, with the right sum, is not refused: what comes next is taken for a command (AN2606, known
    /// limitations of this loader).
    pub hides_addresses: bool,
    /// A byte of nothing before the first answer: seen on boards whose transmitter starts.
    pub glitches: bool,
    /// What is around the number of kilobytes can't be read.
    pub hides_size: bool,
}

/// What it waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wait {
    /// The byte by which it measures the line's speed (AN, 1).
    Hello,
    Command,
    Complement(u8),
    Address(u8, Vec<u8>),
    /// How many bytes to read from there.
    Count(u32, Vec<u8>),
    /// How many bytes to write there, and those bytes.
    Data(u32, Vec<u8>),
    Sectors(Vec<u8>),
    /// What goes with a command that a first install never sends.
    Nothing,
}

/// The loader.
#[derive(Debug)]
pub struct Rom {
    /// Its flash.
    pub flash: Flash,
    /// How it reads its documents.
    pub habits: Habits,
    /// The number of its chip (AN, 3.3).
    pub chip: u16,
    /// Kilobytes of flash that it says it has.
    pub kilobytes: u16,
    wait: Wait,
    /// Work that keeps it from listening, and whether it then answers.
    busy: Duration,
    /// A byte that came meanwhile: there is room for one.
    held: Option<u8>,
    out: VecDeque<u8>,
    has_left: bool,
}

impl Rom {
    /// A loader with this flash, as it is after a reset.
    pub fn new(flash: Flash) -> Self {
        Rom {
            flash,
            habits: Habits::default(),
            chip: 0x0413,
            kilobytes: 1024,
            wait: Wait::Hello,
            busy: Duration::ZERO,
            held: None,
            out: VecDeque::new(),
            has_left: false,
        }
    }

    /// The same chip after a reset into its loader.
    pub fn reset(&mut self) {
        *self = Rom {
            habits: self.habits,
            chip: self.chip,
            kilobytes: self.kilobytes,
            ..Rom::new(self.flash.clone())
        };
    }

    /// Whether it has started what its flash holds.
    pub fn has_left(&self) -> bool {
        self.has_left
    }

    /// So much time has passed.
    pub fn pass(&mut self, time: Duration) {
        if self.busy.is_zero() {
            return;
        }
        self.busy = self.busy.saturating_sub(time);
        if self.busy.is_zero() {
            self.out.push_back(ACK);
            if let Some(byte) = self.held.take() {
                self.hear(byte);
            }
        }
    }

    /// What it has sent until now.
    pub fn sent(&mut self) -> Vec<u8> {
        self.out.drain(..).collect()
    }

    /// A byte comes.
    pub fn receive(&mut self, byte: u8) {
        if self.has_left {
            return;
        }
        if !self.busy.is_zero() {
            // While flash is erased or programmed nothing is taken from the receiver, which holds one byte and loses the others.
            self.held.get_or_insert(byte);
            return;
        }
        self.hear(byte);
    }

    fn say(&mut self, bytes: &[u8]) {
        self.out.extend(bytes);
    }

    fn refuse(&mut self) {
        self.say(&[NACK]);
        self.wait = Wait::Command;
    }

    fn agree(&mut self, wait: Wait) {
        self.say(&[ACK]);
        self.wait = wait;
    }

    /// It answers when this is done.
    fn work(&mut self, time: Duration) {
        self.wait = Wait::Command;
        self.busy = time.max(Duration::from_nanos(1));
    }

    fn hear(&mut self, byte: u8) {
        match std::mem::replace(&mut self.wait, Wait::Command) {
            Wait::Hello if byte == 0x7F => {
                if self.habits.glitches {
                    self.say(&[0]);
                }
                self.agree(Wait::Command);
            }
            Wait::Hello => self.wait = Wait::Hello,
            Wait::Command => self.wait = Wait::Complement(byte),
            Wait::Complement(command) if byte == !command => self.command(command),
            // AN, 3: a wrong complement, and a command that there is not.
            Wait::Complement(_) => self.refuse(),
            Wait::Address(command, bytes) => self.address(command, with(bytes, byte)),
            Wait::Count(at, bytes) => self.count(at, with(bytes, byte)),
            Wait::Data(at, bytes) => self.data(at, with(bytes, byte)),
            Wait::Sectors(bytes) => self.sectors(with(bytes, byte)),
            Wait::Nothing => self.refuse(),
        }
    }

    fn command(&mut self, command: u8) {
        // AN, 3: with the read protection on, all but these are refused.
        let is_open = matches!(command, 0x00 | 0x01 | 0x02 | 0x92);
        if !COMMANDS.contains(&command) || (self.flash.read_protected && !is_open) {
            return self.refuse();
        }
        match command {
            // AN, 3.1 to 3.3.
            0x00 => {
                self.say(&[ACK, COMMANDS.len() as u8, VERSION]);
                self.say(&COMMANDS);
                self.agree(Wait::Command);
            }
            0x01 => {
                self.say(&[ACK, VERSION, 0, 0]);
                self.agree(Wait::Command);
            }
            0x02 => {
                let [high, low] = self.chip.to_be_bytes();
                self.say(&[ACK, 1, high, low]);
                self.agree(Wait::Command);
            }
            0x11 | 0x21 | 0x31 => self.agree(Wait::Address(command, Vec::new())),
            0x44 => self.agree(Wait::Sectors(Vec::new())),
            // Protections are put on and taken off: AN, 3.9 to 3.12.
            _ => {
                self.flash.violate();
                self.agree(Wait::Nothing);
            }
        }
    }

    /// Whether a command may go to an address (AN, 3.4 to 3.6).
    fn is_served(&self, command: u8, at: u32) -> bool {
        let is_flash = Flash::sector_at(at).is_some();
        match command {
            0x11 => {
                let about = ABOUT.contains(&at) && !self.habits.hides_size;
                is_flash
                    || RAM.contains(&at)
                    || ROM.contains(&at) && !ABOUT.contains(&at)
                    || about
                    || OPTIONS.contains(&at)
            }
            0x21 => is_flash || RAM.contains(&at),
            // Words begin at multiples of four.
            _ => at.is_multiple_of(4) && (is_flash || RAM.contains(&at) || OPTIONS.contains(&at)),
        }
    }

    fn address(&mut self, command: u8, bytes: Vec<u8>) {
        let [a, b, c, d, sum] = *bytes else {
            self.wait = Wait::Address(command, bytes);
            return;
        };
        let at = u32::from_be_bytes([a, b, c, d]);
        if sum != a ^ b ^ c ^ d {
            return self.refuse();
        }
        match (self.is_served(command, at), command) {
            (false, 0x11 | 0x31) if self.habits.hides_addresses => self.wait = Wait::Command,
            (false, _) => self.refuse(),
            (true, 0x11) => self.agree(Wait::Count(at, Vec::new())),
            (true, 0x31) => self.agree(Wait::Data(at, Vec::new())),
            (true, _) => {
                self.say(&[ACK]);
                self.has_left = true;
            }
        }
    }

    fn count(&mut self, at: u32, bytes: Vec<u8>) {
        let [count, complement] = *bytes else {
            self.wait = Wait::Count(at, bytes);
            return;
        };
        if complement != !count {
            return self.refuse();
        }
        self.agree(Wait::Command);
        let len = usize::from(count) + 1;
        let bytes = match self.flash.read(at, len) {
            Some(bytes) => bytes.to_vec(),
            // Where it is not flash; the number of kilobytes lies at 0x1FFF7A22 (RM0090, 39.2).
            None => {
                let [low, high] = self.kilobytes.to_le_bytes();
                let byte = |place: u32| match place {
                    0x1FFF_7A22 => low,
                    0x1FFF_7A23 => high,
                    _ => place as u8 ^ 0x5A,
                };
                (at..).take(len).map(byte).collect()
            }
        };
        self.say(&bytes);
    }

    fn data(&mut self, at: u32, bytes: Vec<u8>) {
        let Some((&count, data)) = bytes.split_first() else {
            return;
        };
        if data.len() < usize::from(count) + 2 {
            self.wait = Wait::Data(at, bytes);
            return;
        }
        // AN, 3.6: whole words; the sum is of the count as well.
        let is_sum = bytes.iter().fold(0, |sum, byte| sum ^ byte) == 0;
        let len = usize::from(count) + 1;
        if !is_sum || len % 4 != 0 {
            return self.refuse();
        }
        if OPTIONS.contains(&at) {
            self.flash.violate();
        }
        // AN, 3.6: nothing is said of sectors that are protected.
        let time = self.flash.program(at, data.get(..len).unwrap_or_default());
        self.work(time);
    }

    /// AN, 3.8.
    fn sectors(&mut self, bytes: Vec<u8>) {
        let number = |at: usize| {
            let pair: Option<&[u8; 2]> = bytes.get(at..).and_then(<[u8]>::first_chunk);
            pair.map(|pair| u16::from_be_bytes(*pair))
        };
        let needed = match number(0) {
            // The whole chip, or one of its banks, and the sum.
            Some(0xFFF0..) => 3,
            Some(count) => 2 * usize::from(count) + 5,
            None => usize::MAX,
        };
        if bytes.len() < needed {
            self.wait = Wait::Sectors(bytes);
            return;
        }
        if bytes.iter().fold(0, |sum, byte| sum ^ byte) != 0 {
            return self.refuse();
        }
        if needed == 3 {
            self.flash.violate();
            return self.work(Duration::from_secs(16) / self.flash.speed);
        }
        let sectors: Vec<usize> = (2..needed - 1)
            .step_by(2)
            .filter_map(number)
            .map(usize::from)
            .collect();
        if sectors.iter().any(|sector| Flash::sector(*sector).is_none()) {
            return self.refuse();
        }
        let time = sectors.iter().map(|sector| self.flash.erase(*sector)).sum();
        self.work(time);
    }
}

fn with(mut bytes: Vec<u8>, byte: u8) -> Vec<u8> {
    bytes.push(byte);
    bytes
}
