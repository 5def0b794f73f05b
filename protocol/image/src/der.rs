//! Just enough DER and PEM for keys and ECDSA signatures: definite lengths below 64 KB, borrowed values.

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const SEQUENCE: u8 = 0x30;

/// Splits the element with this tag off the front: its value, and what follows it.
pub(crate) fn take(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (len, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        // Longer forms only where the shorter one cannot say it.
        0x81 => {
            let (&len, rest) = rest.split_first()?;
            (usize::from(len), rest)
        }
        0x82 => {
            let (len, rest) = rest.split_first_chunk()?;
            (usize::from(u16::from_be_bytes(*len)), rest)
        }
        _ => return None,
    };
    let minimal = match first {
        0x81 => len >= 0x80,
        0x82 => len >= 0x100,
        _ => true,
    };
    (found == tag && minimal).then_some(())?;
    rest.split_at_checked(len)
}

/// An ECDSA signature in DER as the two 32-byte numbers side by side. Zeros may follow it: `imgtool --pad-sig`.
#[cfg(any(feature = "p256", feature = "small-p256"))]
pub(crate) fn ecdsa_signature(bytes: &[u8], both: &mut [u8; 64]) -> Option<()> {
    let (body, padding) = take(SEQUENCE, bytes)?;
    let (r, rest) = take(INTEGER, body)?;
    let (s, rest) = take(INTEGER, rest)?;
    (rest.is_empty() && padding.iter().all(|&byte| byte == 0)).then_some(())?;
    let (left, right) = both.split_at_mut(32);
    number(r, left)?;
    number(s, right)
}

/// The digits of a positive INTEGER, without the zero that only says that it is positive.
pub(crate) fn digits(value: &[u8]) -> Option<&[u8]> {
    match value {
        // Where the zero is not needed, this is no DER.
        [0, rest @ ..] if rest.first()? & 0x80 != 0 => Some(rest),
        [first, ..] if *first != 0 && first & 0x80 == 0 => Some(value),
        _ => None,
    }
}

/// A positive INTEGER, right-aligned in `out`, which holds zeros.
#[cfg(any(feature = "p256", feature = "small-p256"))]
fn number(value: &[u8], out: &mut [u8]) -> Option<()> {
    let digits = digits(value)?;
    let start = out.len().checked_sub(digits.len())?;
    // Of equal length, which the compiler can't know: this way it has no panic to link.
    out.get_mut(start..)?
        .iter_mut()
        .zip(digits)
        .for_each(|(place, digit)| *place = *digit);
    Some(())
}

/// The first PEM block in `text`: its label and its content in base64. Text before it is left out.
pub(crate) fn pem_block(text: &str) -> Option<(&str, &str)> {
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (label, rest) = rest.split_once("-----")?;
    let (body, rest) = rest.split_once("-----END ")?;
    rest.strip_prefix(label)?.strip_prefix("-----")?;
    Some((label, body))
}

/// Decodes padded base64, white space ignored.
pub(crate) fn base64(text: &str, out: &mut [u8]) -> Option<usize> {
    let (mut len, mut bits, mut held, mut padding) = (0, 0u32, 0u32, 0);
    let mut symbols = 0;
    for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
        symbols += 1;
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                padding += 1;
                continue;
            }
            _ => return None,
        };
        (padding == 0).then_some(())?;
        held = (held << 6) | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            *out.get_mut(len)? = (held >> bits) as u8;
            held &= (1 << bits) - 1;
            len += 1;
        }
    }
    (symbols % 4 == 0 && padding <= 2 && held == 0).then_some(len)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_whole_or_nothing() {
        let mut out = [0; 8];
        assert_eq!(base64("Zm9v\nYmE=", &mut out), Some(5));
        assert_eq!(&out[..5], b"fooba");
        for text in ["Zm9", "Zm9v=", "Zm=v", "Z===", "Zm9vYmE-", "Zm9vYmFyZm9v", "Zm9="] {
            assert_eq!(base64(text, &mut out), None, "{text}");
        }
    }

    #[test]
    fn lengths_are_minimal() {
        assert_eq!(take(4, &[4, 1, 7, 9]), Some((&[7][..], &[9][..])));
        assert_eq!(take(4, &[4, 0x81, 1, 7]), None);
        assert_eq!(take(4, &[4, 0x82, 0, 1, 7]), None);
        assert_eq!(take(4, &[4, 2, 7]), None);
        assert_eq!(take(2, &[4, 1, 7]), None);
    }

    #[cfg(feature = "p256")]
    #[test]
    fn signatures_have_one_spelling() {
        let ecdsa_signature = |bytes: &[u8]| {
            let mut both = [0; 64];
            ecdsa_signature(bytes, &mut both).map(|()| both)
        };
        let plain = ecdsa_signature(&[0x30, 6, 2, 1, 1, 2, 1, 2]).unwrap();
        assert_eq!((plain[31], plain[63]), (1, 2));
        assert_eq!(ecdsa_signature(&[0x30, 6, 2, 1, 1, 2, 1, 2, 0, 0]), Some(plain));
        assert_eq!(ecdsa_signature(&[0x30, 6, 2, 1, 1, 2, 1, 2, 1]), None);
        assert_eq!(ecdsa_signature(&[0x30, 7, 2, 2, 0, 1, 2, 1, 2]), None);
        assert_eq!(ecdsa_signature(&[0x30, 6, 2, 1, 0x81, 2, 1, 2]), None);
        assert_eq!(ecdsa_signature(&[0x30, 7, 2, 1, 1, 2, 1, 2, 0]), None);
    }
}
