//! Numbers as people read them.

/// Writes bytes in hexadecimal, the first byte first, into `text`, which has two places for each.
pub fn hexadecimal(text: &mut [u8], bytes: impl IntoIterator<Item = u8>) -> &str {
    text.fill(b'0');
    for (digits, byte) in text.chunks_exact_mut(2).zip(bytes) {
        for (place, digit) in digits.iter_mut().zip([byte >> 4, byte & 15]) {
            *place = if digit < 10 {
                b'0' + digit
            } else {
                b'A' - 10 + digit
            };
        }
    }
    // Looking through them once more would cost 0.6 KB of flash.
    #[allow(unsafe_code, reason = "every place holds a digit, which is ASCII")]
    unsafe {
        core::str::from_utf8_unchecked(text)
    }
}
