//! For tests: the crates' verdicts on signatures beside those of the small verifiers.

use crate::PublicKey;
use crate::key::SignatureCheck;
use crate::small_ed25519::Ed25519Check;
use crate::small_p256::EcdsaCheck;

/// What the crate and the small verifier say of a signature over a digest of 32 bytes. `None`: there is no small verifier for such a
/// key, or the signature has a form that none is asked about.
pub fn verdicts(key: &PublicKey, digest: &[u8; 32], signature: &[u8]) -> Option<[bool; 2]> {
    let small = match key {
        PublicKey::Ed25519(key) => {
            let mut check = Ed25519Check::new();
            check.begin(key, digest, signature.try_into().ok()?);
            ended(|| check.step())
        }
        PublicKey::P256(point) => {
            let mut numbers = [0; 64];
            crate::der::ecdsa_signature(signature, &mut numbers)?;
            EcdsaCheck::new(point, digest, &numbers).is_some_and(|mut check| ended(|| check.step()))
        }
        #[cfg(feature = "rsa")]
        PublicKey::Rsa(_) => return None,
    };
    let mut check = SignatureCheck::Done(false);
    key.begin_check(digest, signature, &mut check);
    Some([ended(|| check.step()), small])
}

/// The last step's verdict.
fn ended(mut step: impl FnMut() -> Option<bool>) -> bool {
    loop {
        if let Some(verdict) = step() {
            return verdict;
        }
    }
}
