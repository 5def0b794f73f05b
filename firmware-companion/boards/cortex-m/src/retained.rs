//! Words in RAM that survive a reset: how bootloader and application leave word for each other.
//!
//! They lie at the start of RAM, or, behind a maker's loader, which has its own data there, where it has none. The linker scripts
//! of both leave these 16 bytes alone. After power came they hold noise, so every word carries a
//! magic number.
//!
//! | offset | word |
//! |---|---|
//! | 0 | address of the running image's vector table; 0 in the bootloader |
//! | 4 | [`REQUEST`]: stay in the bootloader |
//! | 8 | why the application gave itself up: [`GAVE_UP`], the code in the lowest byte |
//! | 12 | why the chip started: [`STARTED`], the code in the lowest byte; the chip itself tells it only once |
#![allow(
    unsafe_code,
    reason = "fixed addresses in RAM that no linker script hands out"
)]

use bootlace_smp::bootlace::{Reset, RollbackReason};

/// Where they lie: RAM starts here on most Cortex-M.
#[cfg(not(feature = "behind-loader"))]
pub const ADDRESS: usize = 0x2000_0000;
/// Where they lie: `LEFT_BEHIND_LOADER` of the board's map says why there.
#[cfg(feature = "behind-loader")]
pub const ADDRESS: usize = 0x2003_7FF0;
/// Bytes that a linker script must leave alone.
pub const LEN: usize = 16;
/// Asks the bootloader to stay: "BOOT" in the order of memory.
pub const REQUEST: u32 = u32::from_le_bytes(*b"BOOT");
/// The upper three bytes of the word that says why an application gave itself up.
pub const GAVE_UP: u32 = u32::from_le_bytes([0, b'G', b'U', b'P']);

/// The upper three bytes of the word that says why the chip started.
pub const STARTED: u32 = u32::from_le_bytes([0, b'R', b'S', b'T']);

const VECTORS: usize = 0;
const REQUESTED: usize = 1;
const REASON: usize = 2;
const START: usize = 3;

fn read(word: usize) -> u32 {
    // SAFETY: `word` is one of the constants above; the address is RAM, aligned, and nobody else's.
    unsafe { (ADDRESS as *const u32).add(word).read_volatile() }
}

fn write(word: usize, value: u32) {
    // SAFETY: as in `read`.
    unsafe { (ADDRESS as *mut u32).add(word).write_volatile(value) }
}

/// What was left before the reset.
#[derive(Clone, Copy, Debug, Default)]
pub struct Left {
    /// The bootloader is to stay.
    pub requested: bool,
    /// Why the application gave itself up.
    pub gave_up: Option<RollbackReason>,
}

impl Left {
    /// The bootloader is to stay: also what one leaves to itself that went wrong, because staying is the way to be mended.
    pub const STAY: Self = Left {
        requested: true,
        gave_up: None,
    };

    /// The application gives itself up.
    pub const fn given_up(reason: RollbackReason) -> Self {
        Left {
            requested: false,
            gave_up: Some(reason),
        }
    }
}

/// Reads what was left, once: the next reset finds nothing.
pub fn take() -> Left {
    let (requested, reason) = (read(REQUESTED), read(REASON));
    write(VECTORS, 0);
    write(REQUESTED, 0);
    write(REASON, 0);
    Left {
        requested: requested == REQUEST,
        gave_up: (reason & !0xFF == GAVE_UP).then(|| RollbackReason::from_code(reason as u8)),
    }
}

/// Leaves word for the bootloader; a reset is to follow at once.
pub fn leave(left: Left) {
    write(REQUESTED, if left.requested { REQUEST } else { 0 });
    write(
        REASON,
        left.gave_up
            .map_or(0, |reason| GAVE_UP | u32::from(reason.code())),
    );
}

/// Tells the application why the chip started.
pub fn tell_start(reset: Reset) {
    write(START, STARTED | u32::from(reset.code()));
}

/// Why the chip started, as the bootloader told it.
pub fn start() -> Reset {
    let word = read(START);
    if word & !0xFF == STARTED {
        Reset::from_code(word as u8)
    } else {
        Reset::PowerOn
    }
}

/// Says whose vector table exceptions go to.
#[cfg(feature = "forward")]
pub(crate) fn set_vectors(address: u32) {
    write(VECTORS, address);
}
