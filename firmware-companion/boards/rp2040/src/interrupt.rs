//! The chip's interrupts, by the datasheet (2.3.2).

bootlace_cortex_m::interrupts! {
    /// TIMER_IRQ_0.
    Timer = 0,
    /// USBCTRL_IRQ.
    Usb = 5,
}
