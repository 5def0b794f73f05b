//! What applies patches, alone, linked for a chip: `cargo xtask size` says what it weighs.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::hint::black_box;

use bootlace_delta::{Applier, Memory, Step, Unreadable};

struct Slots;

impl Memory for Slots {
    fn read_base(&mut self, offset: u32, out: &mut [u8]) -> Result<(), Unreadable> {
        black_box((offset, out));
        black_box(Ok(()))
    }

    fn read_target(&mut self, offset: u32, out: &mut [u8]) -> Result<(), Unreadable> {
        black_box((offset, out));
        black_box(Ok(()))
    }
}

/// A patch from its header to its end.
fn apply(applier: &mut Applier) {
    applier.start(black_box(1), &black_box([0; 32]), black_box(9));
    loop {
        let _ = black_box(applier.feed(black_box(&[0; 64])));
        black_box(applier.header());
        match applier.step(&mut Slots) {
            Ok(Step::Page { offset }) => drop(black_box((offset, applier.page(), applier.progress()))),
            Ok(Step::NeedInput) => {}
            Ok(Step::Done) | Err(_) => return,
        }
    }
}

/// Where the chip starts.
// The linker finds the start by its name. The applier is a static, so that it is measured: the chip has one thread.
#[allow(unsafe_code)]
#[cfg(target_os = "none")]
#[unsafe(no_mangle)]
pub extern "C" fn reset() -> ! {
    static mut APPLIER: Applier = Applier::new();
    loop {
        // SAFETY: this function is entered once, and nothing else names it.
        apply(unsafe { &mut *core::ptr::addr_of_mut!(APPLIER) });
    }
}

#[cfg(target_os = "none")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

/// On a machine with an operating system there is nothing to link for.
#[cfg(not(target_os = "none"))]
fn main() {
    // Named, so that nothing above counts as unused.
    black_box(apply as fn(&mut Applier));
}
