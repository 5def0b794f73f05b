//! An application that knows nothing of Bootlace. It says on its line that it runs, and confirms itself the way every
//! MCUboot application does: it writes `image_ok` into the trailer of the slot that it runs from, as Zephyr's
//! `boot_write_img_confirmed` would.
#![no_std]
#![no_main]
#![allow(
    unsafe_code,
    reason = "a whole program in one file: its registers are addresses"
)]

use core::sync::atomic::{AtomicU32, Ordering};

/// End of the slot that it runs from: MCUboot's trailer lies before it.
const SLOT_END: usize = 0xB800 + 104 * 1024;
/// The trailer's last 16 bytes are its magic, the 8 before them `image_ok`.
const IMAGE_OK: usize = SLOT_END - 16 - 8;

const FLASH_READY: usize = 0x4001_E400;
const FLASH_CONFIG: usize = 0x4001_E504;
const UART_START_TX: usize = 0x4000_2008;
const UART_SENT: usize = 0x4000_211C;
const UART_ENABLE: usize = 0x4000_2500;
const UART_TX_PIN: usize = 0x4000_250C;
const UART_TX: usize = 0x4000_251C;
const UART_BAUD: usize = 0x4000_2524;
const TIMER_START: usize = 0x4000_8000;
const TIMER_COMPARED: usize = 0x4000_8140;
const TIMER_SHORTCUTS: usize = 0x4000_8200;
const TIMER_INTERRUPTS: usize = 0x4000_8304;
const TIMER_PRESCALER: usize = 0x4000_8510;
const TIMER_COMPARE: usize = 0x4000_8540;

fn read(register: usize) -> u32 {
    // SAFETY: only called with the addresses above, which may be read at any time.
    unsafe { (register as *const u32).read_volatile() }
}

fn write(register: usize, value: u32) {
    // SAFETY: only called with the addresses above; none of them is memory of this program.
    unsafe { (register as *mut u32).write_volatile(value) }
}

fn say(text: &str) {
    for byte in text.bytes() {
        write(UART_SENT, 0);
        write(UART_TX, u32::from(byte));
        while read(UART_SENT) == 0 {}
    }
}

fn confirm() {
    while read(FLASH_READY) == 0 {}
    write(FLASH_CONFIG, 1);
    write(IMAGE_OK, 0xFFFF_FF01);
    while read(FLASH_READY) == 0 {}
    write(FLASH_CONFIG, 0);
}

static TICKS: AtomicU32 = AtomicU32::new(0);

#[cortex_m_rt::exception]
unsafe fn DefaultHandler(_interrupt: i16) {
    // Only the timer's is enabled.
    write(TIMER_COMPARED, 0);
    TICKS.store(TICKS.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

#[cortex_m_rt::entry]
fn main() -> ! {
    write(UART_TX_PIN, 24);
    write(UART_BAUD, 0x01D7_E000);
    write(UART_ENABLE, 4);
    write(UART_START_TX, 1);
    say("plain: running\r\n");

    // An interrupt every 10 ms.
    write(TIMER_PRESCALER, 4);
    write(TIMER_COMPARE, 10_000);
    write(TIMER_SHORTCUTS, 1);
    write(TIMER_INTERRUPTS, 1 << 16);
    // SAFETY: nothing else uses the interrupt controller, and the handler is ready.
    unsafe {
        const TIMER: u32 = 1 << 8;
        (*cortex_m::peripheral::NVIC::PTR).iser[0].write(TIMER);
    }
    write(TIMER_START, 1);

    // The self-test of this one: its timer ticks.
    while TICKS.load(Ordering::Relaxed) < 5 {
        cortex_m::asm::wfi();
    }
    confirm();
    say("plain: confirmed\r\n");
    loop {
        cortex_m::asm::wfi();
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    cortex_m::peripheral::SCB::sys_reset()
}
