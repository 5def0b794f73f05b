//! Versions, hashes, sizes and times as people read them.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write as _;
use core::time::Duration;

use bootlace_image::{TlvKind, Version};

/// A version as boards spell it: `1.2.3`, and `1.2.3.4` with a build number.
pub fn version(version: Version) -> String {
    version.text(&mut [0; Version::MAX_LEN]).to_string()
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
            // Writing to a string does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// The bytes of hexadecimal digits; `None` for anything else.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |digit: &u8| char::from(*digit).to_digit(16);
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => u8::try_from(digit(high)? * 16 + digit(low)?).ok(),
            _ => None,
        })
        .collect()
}

/// The first eight bytes of a hash in groups: enough to compare by eye.
pub fn short(hash: &[u8]) -> String {
    let text = hex(hash.get(..8).unwrap_or(hash));
    let mut short = String::new();
    for (index, digit) in text.chars().enumerate() {
        if index > 0 && index % 4 == 0 {
            short.push(' ');
        }
        short.push(digit);
    }
    short
}

/// The UUID of a text, with or without its hyphens.
pub fn uuid_of(text: &str) -> Option<[u8; 16]> {
    let digits: String = text.trim().chars().filter(|&c| c != '-').collect();
    unhex(&digits)?.try_into().ok()
}

/// A UUID as it is usually written.
pub fn uuid(bytes: &[u8; 16]) -> String {
    let text = hex(bytes);
    let part = |range| text.get(range).unwrap_or_default();
    format!(
        "{}-{}-{}-{}-{}",
        part(0..8),
        part(8..12),
        part(12..16),
        part(16..20),
        part(20..32)
    )
}

/// A TLV's name in imgtool, or its number.
pub fn tlv(kind: TlvKind) -> String {
    kind.name()
        .map_or_else(|| format!("{:#06x}", kind.0), ToString::to_string)
}

/// A number with one decimal: `count` in units of so many. By hand: formatting of floats weighs 10 KB in the page.
fn tenths(count: u64, unit: u64) -> String {
    let tenths = (count * 10 + unit / 2) / unit;
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// `296 KB`, `1.4 MB`; thousands are 1024, as firmware people count.
pub fn bytes(count: u32) -> String {
    match count {
        0..1024 => format!("{count} B"),
        1024..1_048_576 => format!("{} KB", count.div_ceil(1024)),
        _ => format!("{} MB", tenths(count.into(), 1_048_576)),
    }
}

/// `11.2 KB/s`.
pub fn rate(per_second: u32) -> String {
    match per_second {
        0..1024 => format!("{per_second} B/s"),
        1024..1_048_576 => format!("{} KB/s", tenths(per_second.into(), 1024)),
        _ => format!("{} MB/s", tenths(per_second.into(), 1_048_576)),
    }
}

/// `8.4 s`, `45 s`, `3 min 20 s`.
pub fn time(time: Duration) -> String {
    match time.as_secs() {
        0..10 => format!("{} s", tenths(time.as_millis() as u64, 1000)),
        seconds @ 10..60 => format!("{seconds} s"),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}
