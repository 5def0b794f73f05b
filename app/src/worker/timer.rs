//! How long the browser's timer is set for.

/// The longest time that a browser's timer takes: longer ones are over at once.
const LONGEST_MILLIS: u32 = i32::MAX as u32;

/// Milliseconds for the browser's timer that are over in `micros` or a little later; or, for times that its timer does
/// not take, sooner: whoever waits looks again then.
#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code, reason = "the worker waits"))]
pub(super) fn timer_millis(micros: u64) -> u32 {
    u32::try_from(micros.div_ceil(1000)).map_or(LONGEST_MILLIS, |millis| millis.min(LONGEST_MILLIS))
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    /// `setTimeout` takes a signed number: `u32::MAX` was -1, and an idle board was looked at 104 times a second.
    #[test]
    fn waiting_for_ever_is_never_a_timer_that_is_over_at_once() {
        assert_eq!([timer_millis(0), timer_millis(1), timer_millis(1001)], [0, 1, 2]);
        for micros in [
            u64::MAX,
            u64::from(u32::MAX) * 1000,
            u64::from(i32::MAX as u32) * 1000 + 1,
        ] {
            assert_eq!(timer_millis(micros), i32::MAX as u32);
        }
    }
}
