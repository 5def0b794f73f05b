//! Public keys as people have them in files.

use alloc::string::String;
use alloc::vec::Vec;

use bootlace_image::{KeyError, PublicKey};

/// Reads all keys of a file: PEM with one block or several, in UTF-8 or in the UTF-16 that PowerShell's `>` writes, or one
/// key in DER.
///
/// # Errors
/// What is wrong with the first one that can't be read.
pub fn read_keys(file: &[u8]) -> Result<Vec<PublicKey>, KeyError> {
    let text = match file {
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xEF, 0xBB, 0xBF, rest @ ..] => String::from_utf8(rest.to_vec()).ok(),
        _ => String::from_utf8(file.to_vec()).ok(),
    };
    // DER may happen to be text.
    let Some(text) = text.filter(|text| text.contains(BEGIN)) else {
        return match PublicKey::from_spki_der(file) {
            Ok(key) => Ok(Vec::from([key])),
            // An element that holds others: DER of something else. Anything else is no key at all.
            Err(error) if file.first() == Some(&SEQUENCE) => Err(error),
            Err(_) => Err(KeyError::NotPem),
        };
    };
    let blocks = text.match_indices(BEGIN).map(|(at, _)| {
        let rest = text.get(at..).unwrap_or_default();
        let next = rest.get(BEGIN.len()..).and_then(|rest| rest.find(BEGIN));
        next.and_then(|next| rest.get(..next + BEGIN.len()))
            .unwrap_or(rest)
    });
    // OpenSSL writes the name of the curve before the key.
    blocks
        .filter(|block| !block.starts_with("-----BEGIN EC PARAMETERS"))
        .map(PublicKey::from_pem)
        .collect()
}

const BEGIN: &str = "-----BEGIN ";
/// First byte of DER that holds several elements.
const SEQUENCE: u8 = 0x30;

fn utf16(bytes: &[u8], read: fn([u8; 2]) -> u16) -> Option<String> {
    let units = bytes
        .chunks_exact(2)
        .filter_map(|pair| Some(read(pair.try_into().ok()?)));
    char::decode_utf16(units).collect::<Result<String, _>>().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const P256: &str = include_str!("../../protocol/image/tests/data/p256.pub.pem");
    const ED25519: &str = include_str!("../../protocol/image/tests/data/ed25519.pub.pem");
    const PRIVATE: &str = include_str!("../../protocol/image/tests/data/p256.pem");

    #[test]
    fn all_keys_of_a_file_are_read_in_every_usual_form() {
        let (first, second) = (
            PublicKey::from_pem(P256).unwrap(),
            PublicKey::from_pem(ED25519).unwrap(),
        );
        let both = [P256, ED25519].concat();
        let little: Vec<u8> = both.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = both.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for file in [
            both.clone().into_bytes(),
            both.replace('\n', "\r\n").into_bytes(),
            [&[0xFF, 0xFE][..], &little].concat(),
            [&[0xFE, 0xFF][..], &big].concat(),
            [&[0xEF, 0xBB, 0xBF][..], both.as_bytes()].concat(),
        ] {
            assert_eq!(read_keys(&file), Ok(Vec::from([first, second])));
        }
    }

    #[test]
    fn what_is_no_public_key_is_named() {
        assert_eq!(read_keys(PRIVATE.as_bytes()), Err(KeyError::PrivateKey));
        // One good key beside a private one does not make the file good.
        assert_eq!(
            read_keys([P256, PRIVATE].concat().as_bytes()),
            Err(KeyError::PrivateKey)
        );
        let openssl = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n\
                       -----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----\n";
        assert_eq!(read_keys(openssl.as_bytes()), Err(KeyError::PrivateKey));
        assert_eq!(read_keys(b"hello"), Err(KeyError::NotPem));
        assert_eq!(read_keys(b""), Err(KeyError::NotPem));
    }
}
