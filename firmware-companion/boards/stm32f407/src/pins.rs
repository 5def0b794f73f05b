//! Pins: the button that asks for the bootloader, the LED that shows that it runs, and USB's.

use crate::registers::{FUNCTIONS_8, LEVELS, MODES, PORT_A, PORT_D, PULLS, SET, SPEEDS, change, read, write};

/// PA0: the Discovery's blue button, and most boards' (WKUP); it connects the pin to the supply.
const BUTTON: u32 = 0;
/// PD12: the Discovery's green LED (LD4), which is on when the pin is high.
const LED: u32 = 12;
/// PA11 and PA12: USB's two wires.
const USB: [u32; 2] = [11, 12];

/// What a pin is.
const OUTPUT: u32 = 1;
const BY_FUNCTION: u32 = 2;
const TWO_BITS: u32 = 3;

/// Sets the two bits of a pin in a port's register.
fn set_pin(register: usize, pin: u32, value: u32) {
    change(register, TWO_BITS << (2 * pin), value << (2 * pin));
}

/// Whether the button is held down.
pub fn is_button_held() -> bool {
    const PULL_DOWN: u32 = 2;
    set_pin(PORT_A + PULLS, BUTTON, PULL_DOWN);
    // Some microseconds on a long wire.
    const CYCLES: u32 = 2000;
    cortex_m::asm::delay(CYCLES);
    read(PORT_A + LEVELS) & 1 << BUTTON != 0
}

/// Lights the LED: the bootloader stays and waits for an update.
pub fn show_bootloader() {
    write(PORT_D + SET, 1 << LED);
    set_pin(PORT_D + MODES, LED, OUTPUT);
}

/// Connects USB with its pins.
pub(crate) fn connect_usb() {
    const FUNCTION_OF_USB: u32 = 10;
    const FASTEST: u32 = 3;
    for pin in USB {
        let shift = 4 * (pin - 8);
        change(PORT_A + FUNCTIONS_8, 0xF << shift, FUNCTION_OF_USB << shift);
        set_pin(PORT_A + SPEEDS, pin, FASTEST);
        set_pin(PORT_A + MODES, pin, BY_FUNCTION);
    }
}
