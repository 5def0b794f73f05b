//! Leaving the bootloader.

use crate::retained::{self, Left};

/// Starts the image whose vector table lies at `vectors`. Peripherals must be as after a reset; interrupts are made so
/// here.
pub fn jump(vectors: u32) -> ! {
    #[cfg(feature = "forward")]
    retained::set_vectors(vectors);
    #[allow(unsafe_code, reason = "giving the processor to another program")]
    // SAFETY: nothing of this program is used after it; the registers are the processor's own. The image at `vectors`
    // was verified, and its table begins with its stack and its entry.
    unsafe {
        let core = cortex_m::Peripherals::steal();
        for (enabled, pending) in core.NVIC.icer.iter().zip(&core.NVIC.icpr).take(1) {
            enabled.write(u32::MAX);
            pending.write(u32::MAX);
        }
        #[cfg(not(feature = "forward"))]
        core.SCB.vtor.write(vectors);
        cortex_m::interrupt::enable();
        cortex_m::asm::bootload(vectors as *const u32)
    }
}

/// Resets the chip, leaving word for the bootloader.
pub fn reset(left: Left) -> ! {
    retained::leave(left);
    cortex_m::peripheral::SCB::sys_reset()
}
