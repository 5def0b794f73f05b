//! The forms in which people have public keys: PEM and DER; points compressed or not; curves by name or by their numbers.

use crate::algorithm::{Algorithm, KeyError, OtherKey};
use crate::key::PublicKey;
use crate::{Sha256, der};

const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OID: u8 = 0x06;
/// A certificate's version, explicitly tagged.
const VERSION: u8 = 0xa0;

// Object identifiers: RFC 5480, RFC 8410, RFC 8017.
const EC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const X25519: &[u8] = &[0x2b, 0x65, 0x6e];
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

/// SHA-256 of P-256's numbers (FIPS 186-4, D.1.2.3) side by side, 32 bytes each: p, a, b, the generator's x, n.
const P256_NUMBERS: [u8; 32] = [
    0x03, 0x59, 0xd9, 0xc1, 0x43, 0x55, 0xdd, 0xa4, 0xb3, 0xda, 0x46, 0x63, 0xed, 0xb0, 0x74, 0x44, 0x2c,
    0x6a, 0x8f, 0x0d, 0xa2, 0x0b, 0xe0, 0x85, 0xd5, 0x1c, 0x4b, 0xa0, 0xd1, 0x0e, 0xd0, 0x49,
];

/// Bytes of the longest key that is read; one for RSA-4096 has 550.
const MAX_DER: usize = 1024;

impl PublicKey {
    /// Reads the first block of PEM in `text`, as `imgtool getpub --encoding pem` and OpenSSL write public keys. Text
    /// before the block is left out.
    ///
    /// # Errors
    /// What it is instead: see [`KeyError`].
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let Some((label, body)) = der::pem_block(text) else {
            // Cut off.
            return Err(if text.contains("PRIVATE KEY-----") {
                KeyError::PrivateKey
            } else if text.contains("-----BEGIN ") {
                KeyError::Damaged
            } else {
                KeyError::NoKey
            });
        };
        // PGP's ends otherwise.
        if label.contains("PRIVATE KEY") {
            return Err(KeyError::PrivateKey);
        }
        if label.contains("CERTIFICATE") {
            return Err(KeyError::Certificate);
        }
        if !label.ends_with("PUBLIC KEY") {
            return Err(KeyError::NoKey);
        }
        let mut bytes = [0; MAX_DER];
        let len = der::base64(body, &mut bytes).ok_or(KeyError::Damaged)?;
        Self::from_der(bytes.get(..len).unwrap_or_default())
    }

    /// Reads a key in DER: a `SubjectPublicKeyInfo`, or an `RSAPublicKey`.
    ///
    /// # Errors
    /// What it is instead: see [`KeyError`].
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        if der.first() != Some(&der::SEQUENCE) {
            return Err(KeyError::NoKey);
        }
        let Some((body, [])) = der::take(der::SEQUENCE, der) else {
            return Err(KeyError::Damaged);
        };
        match body.first() {
            Some(&der::INTEGER) => {
                let (number, _) = der::take(der::INTEGER, body).ok_or(KeyError::Damaged)?;
                // Private keys begin with the number of their version.
                match number.len() {
                    1 => Err(KeyError::PrivateKey),
                    _ => rsa(der),
                }
            }
            Some(&der::SEQUENCE) => {
                let (algorithm, rest) = der::take(der::SEQUENCE, body).ok_or(KeyError::Damaged)?;
                match (algorithm.first(), rest.first()) {
                    (Some(&(VERSION | der::INTEGER)), _) => Err(KeyError::Certificate),
                    // What is encrypted needs no bits to be counted: a private key.
                    (Some(&OID), Some(&OCTET_STRING)) => Err(KeyError::PrivateKey),
                    _ => of_parts(algorithm, rest),
                }
            }
            _ => Err(KeyError::NoKey),
        }
    }
}

/// A `SubjectPublicKeyInfo` of its two parts.
fn of_parts(algorithm: &[u8], rest: &[u8]) -> Result<PublicKey, KeyError> {
    let (algorithm, parameters) = der::take(OID, algorithm).ok_or(KeyError::Damaged)?;
    let Some(([0, key @ ..], [])) = der::take(BIT_STRING, rest) else {
        return Err(KeyError::Damaged);
    };
    let other = |kind| Err(KeyError::Unsupported(kind));
    match algorithm {
        ED25519 => PublicKey::from_parts(Algorithm::Ed25519, key),
        RSA => rsa(key),
        X25519 => other(OtherKey::X25519),
        EC_KEY => match der::take(OID, parameters) {
            Some((P256, _)) => point(key),
            Some((P384, _)) => other(OtherKey::P384),
            Some(_) => other(OtherKey::Other),
            None if is_p256(parameters) == Some(true) => point(key),
            None => other(OtherKey::Other),
        },
        _ => other(OtherKey::Other),
    }
}

/// Whether explicit `ECParameters` (RFC 3279, 2.3.5) are those of P-256. Only their numbers are looked at, and what is
/// checked later is P-256 whatever they say: nobody can bring a curve of their own.
fn is_p256(parameters: &[u8]) -> Option<bool> {
    let (body, _) = der::take(der::SEQUENCE, parameters)?;
    let (_version, rest) = der::take(der::INTEGER, body)?;
    let (field, rest) = der::take(der::SEQUENCE, rest)?;
    let (_prime_field, prime) = der::take(OID, field)?;
    let (p, _) = der::take(der::INTEGER, prime)?;
    let (curve, rest) = der::take(der::SEQUENCE, rest)?;
    let (a, curve) = der::take(OCTET_STRING, curve)?;
    let (b, _seed) = der::take(OCTET_STRING, curve)?;
    let (generator, rest) = der::take(OCTET_STRING, rest)?;
    let (n, _cofactor) = der::take(der::INTEGER, rest)?;
    // One byte says whether the generator's y follows.
    let x = generator.get(1..33)?;
    let mut sha = Sha256::new();
    for number in [der::digits(p)?, a, b, x, der::digits(n)?] {
        (number.len() == 32).then_some(())?;
        sha.update(number);
    }
    let mut hash = [0; 32];
    sha.finish(&mut hash);
    Some(hash == P256_NUMBERS)
}

/// A point of P-256 as in SEC1, compressed or not.
#[cfg(feature = "p256")]
fn point(bytes: &[u8]) -> Result<PublicKey, KeyError> {
    let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(bytes).map_err(|_| KeyError::Damaged)?;
    PublicKey::from_parts(Algorithm::P256, key.to_sec1_point(false).as_bytes())
}

/// The same with the arithmetic of small chips.
#[cfg(all(feature = "small-p256", not(feature = "p256")))]
fn point(bytes: &[u8]) -> Result<PublicKey, KeyError> {
    use crate::small_p256::{decompress, is_point};

    let point = match bytes.split_first() {
        Some((&sign @ 2..=3, x)) => x.try_into().ok().and_then(|x| decompress(x, sign == 3)),
        _ => bytes.try_into().ok().filter(is_point),
    };
    point.map(PublicKey::P256).ok_or(KeyError::Damaged)
}

/// A point of P-256 as in SEC1, not compressed, in a build that checks no such signatures.
#[cfg(not(any(feature = "p256", feature = "small-p256")))]
fn point(bytes: &[u8]) -> Result<PublicKey, KeyError> {
    PublicKey::from_parts(Algorithm::P256, bytes)
}

#[cfg(feature = "rsa")]
fn rsa(der: &[u8]) -> Result<PublicKey, KeyError> {
    crate::rsa::RsaKey::from_der(der).map(PublicKey::Rsa)
}

#[cfg(not(feature = "rsa"))]
fn rsa(_: &[u8]) -> Result<PublicKey, KeyError> {
    Err(KeyError::Unsupported(OtherKey::Rsa { bits: 0 }))
}
