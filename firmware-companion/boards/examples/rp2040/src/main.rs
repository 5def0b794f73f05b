//! An application over USB that tests itself, confirms itself, and can be updated while it runs.
//!
//! Its main program answers SMP on the same serial port and vendor interface as the bootloader. While on trial it runs its
//! self-tests once: passed, it confirms itself; failed, it gives itself up with the number of the test. The chip's watchdog
//! is there for when it hangs, and whoever opens the port at 1200 baud and closes it gets the bootloader.
#![no_std]
#![no_main]

use bootlace_app_kit::Application;
use bootlace_core::link::Link;
use bootlace_cortex_m::retained::{self, Left};
use bootlace_cortex_m::{Exit, Keys, Parts, serve};
use bootlace_rp2040::{
    Clock, FRAME, LINK, SERIAL, Usb, WINDOW, Watchdog, clocks, flash, identity, open, reset, serial, woken,
};
use bootlace_smp::bootlace::RollbackReason;
use usb_device::bus::UsbBusAllocator;

/// How it behaves once it is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behaviour {
    /// It is well.
    Normal,
    /// It crashes before it has confirmed itself.
    Crashes,
    /// It hangs before it has confirmed itself.
    Hangs,
    /// A self-test fails.
    Unhealthy,
    /// It never confirms itself.
    Undecided,
}

/// Decides how it behaves: tests change the digit before they sign the program, instead of building five.
static BEHAVIOUR: [u8; 12] = *b"behaviour: 0";

impl Behaviour {
    fn chosen() -> Self {
        // The compiler knows the bytes, and must not use what it knows.
        match core::hint::black_box(&BEHAVIOUR).last() {
            Some(b'1') => Behaviour::Crashes,
            Some(b'2') => Behaviour::Hangs,
            Some(b'3') => Behaviour::Unhealthy,
            Some(b'4') => Behaviour::Undecided,
            _ => Behaviour::Normal,
        }
    }
}

/// A self-test that can fail; its number is what the board reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum SelfTest {
    /// The sensor answers with a value that can be.
    Sensor = 1,
    /// The flash chip answers with a number of its own.
    Flash = 2,
    /// The timer ticks, and its interrupt wakes the processor.
    Timer = 3,
}

/// Milliseconds without a sign of life from the main program until the watchdog resets the chip: a check of a signature
/// and an erase of the slowest flash take less than a second between two feeds.
const PATIENCE: u32 = 3000;

#[cortex_m_rt::entry]
fn main() -> ! {
    let behaviour = Behaviour::chosen();
    clocks::start();
    let watchdog = Watchdog::start(PATIENCE);
    match behaviour {
        Behaviour::Normal | Behaviour::Unhealthy | Behaviour::Undecided => {}
        Behaviour::Crashes => cortex_m::asm::udf(),
        Behaviour::Hangs => loop {
            cortex_m::asm::nop();
        },
    }

    let mut digits = [0; SERIAL];
    let serial = serial(&mut digits);
    let mut keys = Keys::new();
    let board = identity(serial, &mut keys);
    let mut flash = flash();
    let mut application = Application::new(&mut flash, &board, retained::start());
    if behaviour != Behaviour::Undecided && application.is_on_trial(&mut flash) {
        match self_tests(behaviour, serial) {
            // Flash that fails leaves it on trial, and the deadline ends that.
            Ok(()) => drop(application.confirm(&mut flash)),
            Err(test) => application.fail(test as u8),
        }
    }

    let mut memory = [0; LINK];
    let mut link = Link::in_array::<FRAME, WINDOW, LINK>(&mut memory);
    let bus = UsbBusAllocator::new(Usb::default());
    let parts = Parts {
        open: || open(&bus, &board),
        clock: Clock::default(),
        watchdog,
        gauge: (),
    };
    match serve(&mut application, &mut flash, &mut link, parts) {
        Exit::Reset(left) => reset(left),
        // An application starts no other.
        Exit::Boot(_) => reset(Left::default()),
    }
}

/// Runs all self-tests; gives the first that failed.
fn self_tests(behaviour: Behaviour, serial: &str) -> Result<(), SelfTest> {
    // In place of a sensor: degrees Celsius, or no answer.
    let temperature = (behaviour != Behaviour::Unhealthy).then_some(21);
    let is_possible = temperature.is_some_and(|degrees| (-40..=85).contains(&degrees));
    is_possible.then_some(()).ok_or(SelfTest::Sensor)?;
    // A chip that does not answer leaves the line high or low.
    let is_number = serial.bytes().any(|digit| digit != b'0' && digit != b'F');
    is_number.then_some(()).ok_or(SelfTest::Flash)?;
    const MICROS: u32 = 1000;
    Clock::default().nap(MICROS).then_some(()).ok_or(SelfTest::Timer)
}

bootlace_cortex_m::on_fault!(woken, crashed);

/// The bootloader is told of a crash.
fn crashed() -> ! {
    reset(Left::given_up(RollbackReason::Fault))
}
