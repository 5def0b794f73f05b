//! Exceptions on a chip whose vector table can't be moved: the bootloader's own table sends each one on to the running
//! image's, whose address lies in RAM.
#![allow(unsafe_code, reason = "exception entry is assembly")]

use core::arch::naked_asm;

/// Sends an exception to the running image, with registers and stack as the processor left them. In the bootloader,
/// which enables no interrupt, an exception is a fault: it starts again and stays there.
///
/// # Safety
/// Called by the processor alone.
#[unsafe(naked)]
#[unsafe(no_mangle)]
unsafe extern "C" fn DefaultHandler() {
    naked_asm!(
        "movs r1, #1", // 0x20000000: retained::ADDRESS, whose first word is the table's address
        "lsls r1, r1, #29",
        "ldr  r1, [r1]",
        "cmp  r1, #0",
        "beq  1f",
        "mrs  r0, ipsr",
        "lsls r0, r0, #2",
        "ldr  r0, [r1, r0]",
        "bx   r0",
        "1:",
        "bl   {fault}",
        fault = sym fault,
    )
}

/// As [`DefaultHandler`]: the runtime crate wants this one by name.
///
/// # Safety
/// Called by the processor alone.
#[unsafe(naked)]
#[unsafe(no_mangle)]
unsafe extern "C" fn HardFault() {
    naked_asm!("ldr r0, =DefaultHandler", "bx r0", ".pool")
}

extern "C" fn fault() -> ! {
    crate::reset(crate::retained::Left { requested: true, gave_up: None })
}
