//! Commands and the ROM's status, as bytes.

use bootlace_loader::{Fault, Refusal};

/// Bytes of a command.
pub const LEN: usize = 32;
/// Bytes of a status.
pub const STATUS_LEN: usize = 16;
/// What a command begins with.
const MAGIC: u32 = 0x431F_D10B;

/// A command (2.8.5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// The drive takes no writes from now on.
    Exclusive,
    /// Restarts the chip from its flash after so many milliseconds.
    Reboot {
        /// Milliseconds.
        millis: u32,
    },
    /// Erases sectors.
    Erase {
        /// The first byte.
        at: u32,
        /// Bytes.
        len: u32,
    },
    /// Reads bytes, which follow.
    Read {
        /// The first one.
        at: u32,
        /// How many.
        len: u32,
    },
    /// Writes the bytes that follow.
    Write {
        /// The first one.
        at: u32,
        /// How many.
        len: u32,
    },
    /// Makes flash ready for erasing and programming.
    ExitXip,
}

impl Command {
    /// The command's bytes with this number.
    pub fn encode(self, token: u32) -> [u8; LEN] {
        const RANGE: u8 = 8;
        let (id, arguments_len, transfer, arguments) = match self {
            Command::Exclusive => (0x01, 1, 0, [1, 0, 0]),
            // No program counter and no stack pointer: a start from flash.
            Command::Reboot { millis } => (0x02, 12, 0, [0, 0, millis]),
            Command::Erase { at, len } => (0x03, RANGE, 0, [at, len, 0]),
            Command::Read { at, len } => (0x84, RANGE, len, [at, len, 0]),
            Command::Write { at, len } => (0x05, RANGE, len, [at, len, 0]),
            Command::ExitXip => (0x06, 0, 0, [0; 3]),
        };
        let mut bytes = [0; LEN];
        let kind = u32::from_le_bytes([id, arguments_len, 0, 0]);
        let words = [MAGIC, token, kind, transfer].into_iter().chain(arguments);
        let (places, _) = bytes.as_chunks_mut::<4>();
        for (place, word) in places.iter_mut().zip(words) {
            *place = word.to_le_bytes();
        }
        bytes
    }
}

/// What the ROM says of the last command (2.8.5.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The command's number.
    pub token: u32,
    /// How it ended: 0 is well.
    pub code: u32,
}

impl Status {
    /// From the ROM's bytes; `None` where they are too few.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; STATUS_LEN] = bytes.try_into().ok()?;
        let (words, _) = bytes.as_chunks::<4>();
        let word = |at: usize| words.get(at).copied().map(u32::from_le_bytes);
        Some(Status {
            token: word(0)?,
            code: word(1)?,
        })
    }

    /// The reason by name.
    pub fn fault(self) -> Fault {
        Fault::Refused(match self.code {
            1 => Refusal::Unknown,
            4 => Refusal::Address,
            7 => Refusal::Restarting,
            code => Refusal::Other(code),
        })
    }
}
