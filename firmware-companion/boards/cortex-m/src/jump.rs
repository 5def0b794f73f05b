//! Leaving the bootloader.

use crate::retained::{self, Left};

/// Starts the image whose vector table lies at `vectors`. Peripherals must be as after a reset; the processor's own
/// interrupts and its timer are made so here.
pub fn jump(vectors: u32) -> ! {
    #[cfg(feature = "forward")]
    retained::set_vectors(vectors);
    #[allow(unsafe_code, reason = "giving the processor to another program")]
    // SAFETY: nothing of this program is used after it; the registers are the processor's own. The image at `vectors`
    // was verified, and its table begins with its stack and its entry.
    unsafe {
        let core = cortex_m::Peripherals::steal();
        // Chips without a SysTick ignore writes to it.
        core.SYST.csr.write(0);
        core.SYST.cvr.write(0);
        let words = words_of_interrupts(&core);
        for (enabled, pending) in core.NVIC.icer.iter().zip(&core.NVIC.icpr).take(words) {
            enabled.write(u32::MAX);
            pending.write(u32::MAX);
        }
        // SysTick and PendSV.
        const PENDING_CLEAR: u32 = 1 << 25 | 1 << 27;
        core.SCB.icsr.write(PENDING_CLEAR);
        #[cfg(not(feature = "forward"))]
        core.SCB.vtor.write(vectors);
        cortex_m::interrupt::enable();
        cortex_m::asm::bootload(vectors as *const u32)
    }
}

/// How many words of 32 bits the chip's interrupts take. An Armv6-M has at most 32 interrupts, and no register that says
/// so.
#[cfg(armv6m)]
fn words_of_interrupts(_: &cortex_m::Peripherals) -> usize {
    1
}

/// How many words of 32 bits the chip's interrupts take, as ICTR says it: one less in the lowest four bits (Armv7-M
/// Architecture Reference Manual, B3.2.26).
#[cfg(not(armv6m))]
fn words_of_interrupts(core: &cortex_m::Peripherals) -> usize {
    (core.ICB.ictr.read() & 0xF) as usize + 1
}

/// Resets the chip, leaving word for the bootloader.
pub fn reset(left: Left) -> ! {
    retained::leave(left);
    cortex_m::peripheral::SCB::sys_reset()
}

/// Where a fault of the bootloader itself ends: it starts again, and stays.
pub extern "C" fn fault() -> ! {
    reset(Left::STAY)
}
