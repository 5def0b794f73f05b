//! The companion bootloader on an RP2040.
#![no_std]
#![no_main]

use bootlace_core::Companion;
use bootlace_core::boot::Start;
use bootlace_core::link::Link;
use bootlace_cortex_m::{Exit, Keys, Parts, jump, retained, serve};
use bootlace_rp2040::{
    Clock, FRAME, LINK, SERIAL, Usb, WINDOW, Watchdog, clocks, flash, identity, is_bootloader_pin_low, open,
    reset, reset_reason, serial, show_bootloader, woken,
};
use usb_device::bus::UsbBusAllocator;

/// The first thing in flash: the chip's ROM loads it, and it sets the flash chip up for the rest. This one is for the chips
/// that most boards have (Winbond W25Q and those like it).
#[allow(unsafe_code, reason = "the linker puts it where ROM looks for it")]
#[used]
#[unsafe(link_section = ".boot2")]
static BOOT2: [u8; 256] = rp2040_boot2::BOOT_LOADER_W25Q080;

bootlace_cortex_m::identity_block!();

#[cortex_m_rt::entry]
fn main() -> ! {
    static mut MEMORY: [u8; LINK] = [0; LINK];
    static mut DIGITS: [u8; SERIAL] = [0; SERIAL];
    static mut KEYS: Keys = Keys::new();
    static mut BUS: Option<UsbBusAllocator<Usb>> = None;

    let left = retained::take();
    clocks::start();
    let start = Start {
        reset: reset_reason(),
        requested: left.requested,
        held: is_bootloader_pin_low(),
        gave_up: left.gave_up,
    };
    retained::tell_start(start.reset);
    let board = identity(serial(DIGITS), KEYS);
    let mut flash = flash();
    let mut companion = Companion::new(&mut flash, &board, start);
    let mut link = Link::in_array::<FRAME, WINDOW, LINK>(MEMORY);
    let bus = &*BUS.insert(UsbBusAllocator::new(Usb::default()));
    let parts = Parts {
        open: || {
            show_bootloader();
            open(bus, &board)
        },
        clock: Clock::default(),
        watchdog: Watchdog::that_may_run(),
        gauge: (),
    };
    match serve(&mut companion, &mut flash, &mut link, parts) {
        Exit::Boot(vectors) => {
            clocks::stop();
            jump(vectors)
        }
        Exit::Reset(left) => reset(left),
    }
}

// Nothing that comes from outside gets there.
bootlace_cortex_m::on_fault!(woken, fault);

fn fault() -> ! {
    reset(retained::Left::STAY)
}
