//! Registers of the STM32F407, by reference manual RM0090.

/// TIM2: control, events to make by hand, count, prescaler.
pub(crate) const TIMER: usize = 0x4000_0000;
/// IWDG: key, prescaler, reload, status.
pub(crate) const WATCHDOG: usize = 0x4000_3000;
/// GPIO, ports A and D.
pub(crate) const PORT_A: usize = 0x4002_0000;
pub(crate) const PORT_D: usize = 0x4002_0C00;
/// Registers of a port: two bits a pin of mode, of speed and of pull-up or pull-down, levels, outputs to set, and four bits of
/// function a pin, from pin 8 on.
pub(crate) const MODES: usize = 0x00;
pub(crate) const SPEEDS: usize = 0x08;
pub(crate) const PULLS: usize = 0x0C;
pub(crate) const LEVELS: usize = 0x10;
pub(crate) const SET: usize = 0x18;
pub(crate) const FUNCTIONS_8: usize = 0x24;
/// RCC: oscillators and PLL, the PLL's numbers, which of them is used and how it is divided.
pub(crate) const OSCILLATORS: usize = 0x4002_3800;
pub(crate) const PLL: usize = 0x4002_3804;
pub(crate) const CLOCKS: usize = 0x4002_3808;
/// RCC: blocks that are held in reset, and blocks that have a clock, by bus: AHB1, AHB2, APB1.
pub(crate) const RESETS: [usize; 3] = [0x4002_3810, 0x4002_3814, 0x4002_3820];
pub(crate) const ENABLES: [usize; 3] = [0x4002_3830, 0x4002_3834, 0x4002_3840];
/// RCC: why the chip started.
pub(crate) const RESET_REASON: usize = 0x4002_3874;
/// FLASH: wait states and caches, key, status, control.
pub(crate) const FLASH_ACCESS: usize = 0x4002_3C00;
pub(crate) const FLASH_KEY: usize = 0x4002_3C04;
pub(crate) const FLASH_STATUS: usize = 0x4002_3C0C;
pub(crate) const FLASH_CONTROL: usize = 0x4002_3C10;
/// OTG_FS.
pub(crate) const USB: usize = 0x5000_0000;
/// The chip's own number, three words.
pub(crate) const UNIQUE_ID: usize = 0x1FFF_7A10;

bootlace_cortex_m::registers!();

/// Clears and then sets bits of a register.
pub(crate) fn change(register: usize, clear: u32, set: u32) {
    write(register, read(register) & !clear | set);
}

/// Whether these bits come to be set, in so many looks.
pub(crate) fn comes(register: usize, bits: u32, looks: u32) -> bool {
    (0..looks).any(|_| read(register) & bits == bits)
}

/// The blocks that this crate uses, by bus as [`RESETS`] has them: ports A and D, OTG_FS, TIM2.
const BLOCKS: [u32; 3] = [1 << 0 | 1 << 3, 1 << 7, 1 << 0];

/// Gives clocks to all blocks that this crate uses.
pub(crate) fn enable_blocks() {
    for (register, blocks) in ENABLES.into_iter().zip(BLOCKS) {
        change(register, 0, blocks);
        // A block takes two cycles of its bus to wake, which reading its register outlasts.
        read(register);
    }
}

/// Leaves all blocks that this crate uses as after a reset.
pub(crate) fn reset_blocks() {
    for ((reset, enable), blocks) in RESETS.into_iter().zip(ENABLES).zip(BLOCKS) {
        change(reset, 0, blocks);
        change(reset, blocks, 0);
        change(enable, blocks, 0);
    }
}
