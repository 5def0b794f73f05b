//! Signatures without a private key: good for a processor that was made to leave out one certain part of the check.

use anyhow::{Context as _, Result};
use bootlace_image::PublicKey;
use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::{EdwardsPoint, Scalar};
use p256::elliptic_curve::point::AffineCoordinates as _;
use p256::elliptic_curve::sec1::FromSec1Point as _;
use sha2::{Digest as _, Sha512};

use super::signing::Signing;

/// Bits of the factors that the first step of a sum takes.
const FIRST_BITS: u32 = 8;
/// Bits of Ed25519's factors.
const BITS: u32 = 253;
/// The state that SHA-512 begins with (FIPS 180-4, 5.3.5), as the hash of nothing.
const INITIAL: [u64; 8] = [
    0x6A09_E667_F3BC_C908,
    0xBB67_AE85_84CA_A73B,
    0x3C6E_F372_FE94_F82B,
    0xA54F_F53A_5F1D_36F1,
    0x510E_527F_ADE6_82D1,
    0x9B05_688C_2B3E_6C1F,
    0x1F83_D9AB_FB41_BD6B,
    0x5BE0_CD19_137E_2179,
];

/// A signature that names `key` for the digest.
pub(super) fn forged(signing: Signing, key: &PublicKey, digest: &[u8; 32]) -> Result<Vec<u8>> {
    match key {
        PublicKey::P256(point) => p256_cut_short(point, digest),
        PublicKey::Ed25519(bytes) => {
            let key = CompressedEdwardsY(*bytes).decompress().context("no point")?;
            match signing {
                Signing::NothingHashed => {
                    let mut hash = [0; 64];
                    let places = hash.chunks_mut(8).zip(INITIAL);
                    places.for_each(|(place, word)| place.copy_from_slice(&word.to_be_bytes()));
                    let challenge = Scalar::from_bytes_mod_order_wide(&hash);
                    let s = Scalar::from(7u8);
                    Ok(ed25519(&(ED25519_BASEPOINT_POINT * s - key * challenge), &s))
                }
                Signing::KeyLeftOut => {
                    let s = Scalar::from_bytes_mod_order(*digest);
                    Ok(ed25519(&(ED25519_BASEPOINT_POINT * s), &s))
                }
                _ => ed25519_cut_short(&key, bytes, digest),
            }
        }
        _ => anyhow::bail!("a key that no board checks"),
    }
}

fn ed25519(r: &EdwardsPoint, s: &Scalar) -> Vec<u8> {
    [r.compress().to_bytes(), s.to_bytes()].concat()
}

/// The challenge's first bits are guessed until they are right.
fn ed25519_cut_short(key: &EdwardsPoint, bytes: &[u8; 32], digest: &[u8; 32]) -> Result<Vec<u8>> {
    let first_bits =
        |number: &[u8; 32]| u16::from_le_bytes([number[30], number[31]]) >> (BITS - FIRST_BITS - 240);
    let unit = (0..BITS - FIRST_BITS).fold(Scalar::ONE, |number, _| number + number);
    for (a, b) in (1..100u16).flat_map(|a| (0..128u16).map(move |b| (a, b))) {
        let r = ED25519_BASEPOINT_POINT * Scalar::from(a) - key * Scalar::from(b);
        let hash = Sha512::new()
            .chain_update(r.compress().0)
            .chain_update(bytes)
            .chain_update(digest);
        let challenge = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
        if first_bits(challenge.as_bytes()) == b {
            return Ok(ed25519(&r, &(unit * Scalar::from(a))));
        }
    }
    anyhow::bail!("no signature was found")
}

/// The same of both factors, until an s is found that makes them begin so.
fn p256_cut_short(point: &[u8; 65], digest: &[u8; 32]) -> Result<Vec<u8>> {
    use p256::{AffinePoint, FieldBytes, ProjectivePoint, Scalar};
    let point = p256::Sec1Point::from_bytes(point).context("no point")?;
    let key = Option::<AffinePoint>::from(AffinePoint::from_sec1_point(&point)).context("no point")?;
    let (a, b) = (3u64, 5u64);
    let sum = ProjectivePoint::GENERATOR * Scalar::from(a) + ProjectivePoint::from(key) * Scalar::from(b);
    let r = <Scalar as p256::elliptic_curve::ops::Reduce<FieldBytes>>::reduce(&sum.to_affine().x());
    let e = <Scalar as p256::elliptic_curve::ops::Reduce<FieldBytes>>::reduce(&FieldBytes::from(*digest));
    let begins = |number: &Scalar, with: u64| number.to_bytes().first().copied().map(u64::from) == Some(with);
    // Any numbers will do: these are successive powers.
    let mut inverse = Scalar::from(0x1234_5678_9ABC_DEF1u64).square().square().square();
    for _ in 0..4_000_000 {
        inverse *= Scalar::from(0x9E37_79B9_7F4A_7C15u64);
        if begins(&(e * inverse), a) && begins(&(r * inverse), b) {
            let s = Option::<Scalar>::from(inverse.invert()).context("0 has no inverse")?;
            let signature = p256::ecdsa::Signature::from_scalars(r, s)?;
            return Ok(signature.to_der().as_bytes().to_vec());
        }
    }
    anyhow::bail!("no signature was found")
}
