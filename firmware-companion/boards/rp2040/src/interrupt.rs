//! The chip's interrupts.

/// Interrupts of the chip, by their place in the vector table after the processor's own 16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Interrupt {
    /// TIMER_IRQ_0.
    Timer = 0,
    /// USBCTRL_IRQ.
    Usb = 5,
}

#[allow(
    unsafe_code,
    reason = "the trait is unsafe because a wrong number would reach past the registers"
)]
// SAFETY: the numbers are those of the datasheet, and below 32.
unsafe impl cortex_m::interrupt::InterruptNumber for Interrupt {
    fn number(self) -> u16 {
        self as u16
    }
}
