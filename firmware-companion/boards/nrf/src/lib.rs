//! What Nordic's nRF51 and nRF52 chips have in common, at the same addresses: flash controller, timer, watchdog, pins, the chip's
//! number and why it started.
#![no_std]

use bootlace_cortex_m::hexadecimal;
use bootlace_smp::bootlace::Reset;

mod nvmc;
mod registers;
mod timer;
mod watchdog;

pub use nvmc::{Eraser, Nvmc, erase_by};
pub use timer::{Clock, Timer};
pub use watchdog::Watchdog;

use registers::{DEVICE_ID, PIN_CONFIG, PINS, PORT, RESET_REASON, read, write};

/// The chip's own number in hexadecimal.
pub fn serial(text: &mut [u8; 16]) -> &str {
    // The higher word first, and of each word the highest byte.
    let words = [4, 0].map(|word| read(DEVICE_ID + word).to_be_bytes());
    hexadecimal(text, words.into_iter().flatten())
}

/// Why the chip last started; forgotten once asked.
pub fn reset_reason() -> Reset {
    let bits = read(RESET_REASON);
    write(RESET_REASON, bits);
    // One bit each, none after power-on; several may stand together, the gravest is told.
    match bits {
        0 => Reset::PowerOn,
        bits if bits & 1 << 1 != 0 => Reset::Watchdog,
        bits if bits & 1 << 3 != 0 => Reset::Fault,
        bits if bits & 1 << 0 != 0 => Reset::Pin,
        _ => Reset::Software,
    }
}

/// Whether something connects this pin to ground, as a button that is held down does. Pins from 32 on are those of port 1, which
/// an nRF51 does not have.
pub fn is_grounded(pin: usize) -> bool {
    let (port, pin) = (PORT * (pin / 32), pin % 32);
    // Input with pull-up, which needs less than a microsecond.
    write(PIN_CONFIG + port + 4 * pin, 3 << 2);
    cortex_m::asm::delay(64);
    read(PINS + port) & 1 << pin == 0
}
