//! Exceptions on a chip whose vector table can't be moved: the bootloader's own table sends each one on to the running
//! image's, whose address lies in RAM.

/// Defines the bootloader's exception handlers: they send every exception to the running image, with registers and
/// stack as the processor left them. In the bootloader itself, which enables no interrupt, an exception is a fault: it
/// starts again and stays there. The word in RAM that names the image's table outlives a reset, and a bootloader that goes
/// wrong before it has cleared the word must not run what it has not verified: what was interrupted below the table was no
/// image. To be used once, in a bootloader's `main.rs`.
#[macro_export]
macro_rules! forward_exceptions {
    () => {
        /// # Safety
        /// Called by the processor alone.
        #[allow(unsafe_code, reason = "exception entry is assembly")]
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        unsafe extern "C" fn DefaultHandler() {
            ::core::arch::naked_asm!(
                "movs r1, #1", // 0x20000000: retained::ADDRESS, whose first word is the table's address
                "lsls r1, r1, #29",
                "ldr  r1, [r1]",
                "cmp  r1, #0",
                "beq  1f",
                // EXC_RETURN says on which stack the interrupted program's registers are; its place is the seventh.
                "mov  r0, lr",
                "lsls r0, r0, #29",
                "mrs  r0, msp",
                "bpl  2f",
                "mrs  r0, psp",
                "2:",
                "ldr  r0, [r0, #24]",
                "cmp  r0, r1",
                "blo  1f",
                "mrs  r0, ipsr",
                "lsls r0, r0, #2",
                "ldr  r0, [r1, r0]",
                "bx   r0",
                "1:",
                "bl   {fault}",
                fault = sym $crate::fault,
            )
        }

        /// As the other: the runtime crate wants this one by name.
        ///
        /// # Safety
        /// Called by the processor alone.
        #[allow(unsafe_code, reason = "exception entry is assembly")]
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        unsafe extern "C" fn HardFault() {
            ::core::arch::naked_asm!("ldr r0, 1f", "bx r0", ".align 2", "1: .word DefaultHandler")
        }
    };
}
