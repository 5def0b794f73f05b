//! The chip's clocks: 168 MHz for the processor and 48 MHz for USB, from the board's crystal.

use bootlace_maps::stm32f407::{INTERNAL_MHZ, PROCESSOR_MHZ, TIMER_MHZ, pll};

use crate::registers::{
    CLOCKS, FLASH_ACCESS, OSCILLATORS, PLL, change, comes, enable_blocks, read, reset_blocks, write,
};

/// Megahertz of the board's crystal: 8 on the Discovery and most boards, on some 12 or 25, a whole number on all.
const CRYSTAL_MHZ: u32 = 8;

const CRYSTAL_ON: u32 = 1 << 16;
const CRYSTAL_READY: u32 = 1 << 17;
const PLL_ON: u32 = 1 << 24;
const PLL_READY: u32 = 1 << 25;

/// Flash access: wait states that 168 MHz need at 2.7 V and above (RM0090, table 10), and both caches. Not prefetch, which chips of
/// revision A can't do: ST's own code asks for the revision first.
const WAIT_STATES: u32 = 5;
const CACHES: u32 = 0b11 << 9;

/// Clocks: what the processor is clocked by, as it is chosen, and as it is two bits further up; the PLL is number 2.
const BY_PLL: u32 = 2;
const BY_ALL: u32 = 3;
const IN_USE: u32 = 2;
/// Buses: APB1 at a quarter, APB2 at half of the processor's speed: 42 and 84 MHz, the most that they may have.
const BUSES: u32 = 0b101 << 10 | 0b100 << 13;

/// Looks at a register until something is given up that takes 2 ms, a few more at most: 100 ms with 16 MHz.
const LOOKS: u32 = 200_000;

/// Sets the clocks up, and gives them to all blocks that this crate uses. A crystal that does not start is done without: the
/// chip's own oscillator is exact to 1 % where USB asks for 0.25 %, so that hosts may not see the board, but it decides what to
/// start. Without the PLL it does that at 16 MHz.
pub fn start() {
    change(OSCILLATORS, 0, CRYSTAL_ON);
    let numbers = match comes(OSCILLATORS, CRYSTAL_READY, LOOKS) {
        true => const { pll(CRYSTAL_MHZ, true) },
        false => const { pll(INTERNAL_MHZ, false) },
    };
    write(PLL, numbers);
    change(OSCILLATORS, 0, PLL_ON);
    if comes(OSCILLATORS, PLL_READY, LOOKS) {
        write(FLASH_ACCESS, CACHES | WAIT_STATES);
        comes(FLASH_ACCESS, WAIT_STATES, LOOKS);
        // Buses first: none is ever too fast.
        write(CLOCKS, BUSES);
        write(CLOCKS, BUSES | BY_PLL);
        comes(CLOCKS, BY_PLL << IN_USE, LOOKS);
    }
    enable_blocks();
}

/// Whether the processor runs by the PLL: without it there is no USB.
pub(crate) fn is_by_pll() -> bool {
    read(CLOCKS) >> IN_USE & BY_ALL == BY_PLL
}

/// Megahertz that the timer counts.
pub(crate) fn timer_mhz() -> u32 {
    if is_by_pll() { TIMER_MHZ } else { INTERNAL_MHZ }
}

/// Hertz of the processor, by the PLL.
pub(crate) const PROCESSOR_HERTZ: u32 = PROCESSOR_MHZ * 1_000_000;

/// Leaves clocks and blocks as after a reset.
pub(crate) fn stop() {
    reset_blocks();
    change(CLOCKS, BY_ALL, 0);
    // Until then the processor is too fast for buses that are not divided, and for flash without wait states.
    while is_by_pll() {}
    write(CLOCKS, 0);
    write(FLASH_ACCESS, 0);
    change(OSCILLATORS, PLL_ON | CRYSTAL_ON, 0);
    const NUMBERS_AFTER_RESET: u32 = 0x2400_3010;
    write(PLL, NUMBERS_AFTER_RESET);
}
