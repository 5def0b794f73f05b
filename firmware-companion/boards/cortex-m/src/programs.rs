//! What every program on a board has to define for its processor and its language: macros, because the linker wants it in
//! the program itself.

/// Defines a chip's `Interrupt`: its interrupts by their place in the vector table after the processor's own 16.
#[macro_export]
macro_rules! interrupts {
    ($($(#[$meta:meta])* $name:ident = $number:literal,)+) => {
        /// Interrupts of the chip, by their place in the vector table after the processor's own 16.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u16)]
        pub enum Interrupt {
            $($(#[$meta])* $name = $number,)+
        }

        #[allow(
            unsafe_code,
            reason = "the trait is unsafe because a wrong number would reach past the registers"
        )]
        // SAFETY: the numbers are those of the chip's manual.
        unsafe impl ::cortex_m::interrupt::InterruptNumber for Interrupt {
            fn number(self) -> u16 {
                self as u16
            }
        }
    };
}

/// Defines `read` and `write` of a chip's word registers for the crate that names their addresses: not functions of this crate,
/// because only the other one knows that its addresses are registers.
#[macro_export]
macro_rules! registers {
    () => {
        #[allow(unsafe_code, reason = "registers are memory at fixed addresses")]
        pub(crate) fn read(register: usize) -> u32 {
            // SAFETY: every address that this crate names is a word register, or memory of a peripheral, that may be read at
            // any time.
            unsafe { (register as *const u32).read_volatile() }
        }

        #[allow(unsafe_code, reason = "registers are memory at fixed addresses")]
        pub(crate) fn write(register: usize, value: u32) {
            // SAFETY: every address that this crate names is a word register, memory of a peripheral, or a word of flash while
            // its controller lets it be written; none of them is memory of this program.
            unsafe { (register as *mut u32).write_volatile(value) }
        }
    };
}

/// Defines how a program ends that goes wrong: a panic calls `$end`, which returns to nobody.
#[macro_export]
macro_rules! on_panic {
    ($end:path) => {
        #[panic_handler]
        fn panic(_: &::core::panic::PanicInfo) -> ! {
            $end()
        }
    };
}

/// Defines the exception handlers of a program whose interrupts only wake the processor: `$woken` says of a number whether
/// it is one of those, and everything else is a fault, which calls `$end`, as a panic does.
#[macro_export]
macro_rules! on_fault {
    ($woken:path, $end:path) => {
        $crate::on_panic!($end);

        #[allow(
            unsafe_code,
            reason = "the runtime crate marks it so: it is never to be called"
        )]
        #[::cortex_m_rt::exception]
        unsafe fn DefaultHandler(interrupt: i16) {
            if !$woken(interrupt) {
                $end();
            }
        }

        #[allow(unsafe_code, reason = "as the other")]
        #[::cortex_m_rt::exception]
        unsafe fn HardFault(_: &::cortex_m_rt::ExceptionFrame) -> ! {
            $end()
        }
    };
}

/// Defines the end of a program that enables no interrupt, so that every exception is a fault, which calls `$end`, as a panic
/// does. The vector table has one entry behind the processor's own, the least that the runtime crate takes, where that one's own
/// has 240, 1 KB in all: the program wants its feature `device`, and its build script calls `bootlace_board_build::no_interrupts`.
#[macro_export]
macro_rules! no_interrupts {
    ($end:path) => {
        $crate::on_fault!(no_interrupt, $end);

        const fn no_interrupt(_: i16) -> bool {
            false
        }

        #[allow(unsafe_code, reason = "the linker puts it behind the processor's own")]
        #[used]
        #[unsafe(no_mangle)]
        #[unsafe(link_section = ".vector_table.interrupts")]
        static __INTERRUPTS: [unsafe extern "C" fn(); 1] = {
            unsafe extern "C" {
                fn DefaultHandler();
            }
            [DefaultHandler]
        };
    };
}
