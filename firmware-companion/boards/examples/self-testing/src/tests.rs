//! What the application asks of itself before it confirms itself.

use core::sync::atomic::Ordering;

use bootlace_smp::frame::{Decoder, Framing, encode};

use crate::{Behaviour, TICKS};

/// A self-test that can fail; its number is what the board reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SelfTest {
    /// The sensor answers with a value that can be.
    Sensor = 1,
    /// What goes out of the line's software comes in again unaltered.
    Loopback = 2,
    /// The timer that watches the main program ticks.
    Watchdog = 3,
}

/// Runs all of them.
///
/// # Errors
/// The first that failed.
pub(crate) fn run(behaviour: Behaviour) -> Result<(), SelfTest> {
    let temperature = sensor(behaviour).ok_or(SelfTest::Sensor)?;
    (-40..=85)
        .contains(&temperature)
        .then_some(())
        .ok_or(SelfTest::Sensor)?;
    loopback().ok_or(SelfTest::Loopback)?;
    watchdog().ok_or(SelfTest::Watchdog)
}

/// In place of a sensor: degrees Celsius, or no answer.
fn sensor(behaviour: Behaviour) -> Option<i8> {
    (behaviour != Behaviour::Unhealthy).then_some(21)
}

fn loopback() -> Option<()> {
    let packet = *b"\x0A\x00\x00\x01\x00\x00\x07\x06\xA0";
    let (mut decoder, mut buffer, mut same) = (Decoder::new(), [0; 16], false);
    encode(Framing::Cobs, &packet, |bytes| {
        let (_, frame) = decoder.feed(&mut buffer, bytes);
        same |= frame.is_some_and(|frame| buffer.get(..frame.len) == Some(&packet));
    });
    same.then_some(())
}

/// Three ticks. An interrupt wakes the processor, so it comes to nothing only where some other one wakes it instead; a
/// timer that is quite dead is the chip's watchdog's to find.
fn watchdog() -> Option<()> {
    let start = TICKS.load(Ordering::Relaxed);
    (0..1000).find_map(|_| {
        cortex_m::asm::wfi();
        (TICKS.load(Ordering::Relaxed).wrapping_sub(start) >= 3).then_some(())
    })
}
