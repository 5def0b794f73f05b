//! A companion made to measure, without compiling it: the identity block of the file that was built for all is filled with a
//! person's own keys, name and rules.

use alloc::vec::Vec;

use bootlace_core::board::Identity;
use bootlace_identity::{KeyKinds, LEN, encode, find};

/// Why no companion was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmade {
    /// No key was given: nobody could sign for the board.
    NoKey,
    /// The private half of a key is published, in a file of this name, and the rules do not take such keys.
    PublishedKey(&'static str),
    /// The identity can't be written.
    Identity(bootlace_identity::Unfit),
    /// The file does not hold one identity block, filled or blank.
    NoBlock,
}

/// The block of an identity, in place of `before` in a bootloader: the kinds of keys that this bootloader checks stay marked.
///
/// # Errors
/// What speaks against it.
pub fn block(identity: &Identity, before: &[u8; LEN]) -> Result<[u8; LEN], Unmade> {
    if identity.keys.is_empty() {
        return Err(Unmade::NoKey);
    }
    let published = |key: &bootlace_image::PublicKey| bootlace_image::development_key(&key.hash());
    match identity.keys.iter().find_map(published) {
        Some(file) if !identity.policy.development_keys => Err(Unmade::PublishedKey(file)),
        _ => encode(identity, KeyKinds::of(before)).map_err(Unmade::Identity),
    }
}

/// A companion's bytes with the block of this identity.
///
/// # Errors
/// What speaks against it.
pub fn filled(mut companion: Vec<u8>, identity: &Identity) -> Result<Vec<u8>, Unmade> {
    let at = find(&companion).ok_or(Unmade::NoBlock)?;
    let place = companion.get_mut(at..).and_then(|rest| rest.first_chunk_mut());
    let place: &mut [u8; LEN] = place.ok_or(Unmade::NoBlock)?;
    *place = block(identity, place)?;
    Ok(companion)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::vec;

    use bootlace_core::board::Policy;
    use bootlace_identity::{Keys, Unfit, blank, read};
    use bootlace_image::{Algorithm, PublicKey};

    use super::*;

    fn identity<'a>(keys: &'a [PublicKey]) -> Identity<'a> {
        Identity {
            name: "Bench 7",
            serial: "",
            vendor: None,
            class: None,
            keys,
            policy: Policy::default(),
        }
    }

    fn built() -> Vec<u8> {
        built_for(KeyKinds::UNMARKED)
    }

    fn built_for(kinds: KeyKinds) -> Vec<u8> {
        [&[7; 300][..], &blank(kinds), &[9; 100]].concat()
    }

    #[test]
    fn a_companion_is_filled_and_nothing_else_of_it_changes() {
        let keys = [PublicKey::Ed25519([3; 32])];
        let made = filled(built(), &identity(&keys)).unwrap();
        let block: &[u8; LEN] = made[300..].first_chunk().unwrap();
        let mut room = Keys::new();
        let read = read(block, "", &mut room).unwrap();
        assert_eq!((read.name, read.keys), ("Bench 7", &keys[..]));
        assert_eq!((&made[..300], &made[300 + LEN..]), (&[7; 300][..], &[9; 100][..]));
        // Filled once more, with another key.
        let others = [PublicKey::Ed25519([4; 32])];
        let again = filled(made, &identity(&others)).unwrap();
        assert_eq!(again, filled(built(), &identity(&others)).unwrap());
    }

    #[test]
    fn a_key_of_a_kind_that_the_companion_does_not_check_is_refused_however_often_it_is_filled() {
        let (p256, ed25519) = ([PublicKey::P256([4; 65])], [PublicKey::Ed25519([3; 32])]);
        let other = Err(Unmade::Identity(Unfit::OtherKind(Algorithm::Ed25519)));
        let companion = built_for(KeyKinds::P256);
        assert_eq!(filled(companion.clone(), &identity(&ed25519)), other);
        let made = filled(companion, &identity(&p256)).unwrap();
        assert_eq!(filled(made, &identity(&ed25519)), other);
        let both = built_for(KeyKinds::P256.and(KeyKinds::ED25519));
        let made = filled(both, &identity(&ed25519)).unwrap();
        filled(made, &identity(&p256)).unwrap();
    }

    #[test]
    fn what_speaks_against_a_companion_is_named() {
        let pem = include_str!("../../protocol/image/tests/data/published-ed25519.pub.pem");
        let published = [PublicKey::from_pem(pem).unwrap()];
        let refused = filled(built(), &identity(&published));
        assert!(matches!(refused, Err(Unmade::PublishedKey(_))), "{refused:?}");
        let mut taken = identity(&published);
        taken.policy.development_keys = true;
        filled(built(), &taken).unwrap();
        assert_eq!(filled(built(), &identity(&[])), Err(Unmade::NoKey));
        let keys = [PublicKey::Ed25519([3; 32])];
        assert_eq!(filled(vec![7; 600], &identity(&keys)), Err(Unmade::NoBlock));
        let nameless = Identity {
            name: "",
            ..identity(&keys)
        };
        let unfit = Unfit::NameLen(0);
        assert_eq!(filled(built(), &nameless), Err(Unmade::Identity(unfit)));
    }
}
