//! The tools' side: an [`Identity`] becomes a block, and a block is found in a program.

use bootlace_core::board::Identity;
use bootlace_image::{Algorithm, PublicKey};

use crate::block::{
    COVERED, ED25519, KEY, LEN, MAGIC, MAX_KEYS, MAX_NAME, P256, VERSION, at, crc_32, flag, is_printable,
};
use crate::kinds::{KeyKinds, blank};
use crate::read::{Keys, read};

/// Why an identity can't be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// No key, or more than [`MAX_KEYS`].
    KeyCount(usize),
    /// A key of a kind that no companion checks.
    KeyKind,
    /// A key of a kind that this companion does not check.
    OtherKind(Algorithm),
    /// A name of no bytes, or of more than [`MAX_NAME`].
    NameLen(usize),
    /// A name with letters that are not printable ASCII.
    NameLetters,
    /// No attempts: an image could never prove itself.
    NoAttempts,
    /// A deadline of less than 30 or more than 300 seconds.
    Deadline(u16),
}

/// Writes a block for a bootloader that checks signatures by keys of these kinds. The serial number is the chip's and not part of the
/// block.
///
/// # Errors
/// What can't be written.
pub fn encode(identity: &Identity, kinds: KeyKinds) -> Result<[u8; LEN], Unfit> {
    let (name, keys, policy) = (identity.name.as_bytes(), identity.keys, &identity.policy);
    if keys.is_empty() || keys.len() > MAX_KEYS {
        return Err(Unfit::KeyCount(keys.len()));
    }
    if name.is_empty() || name.len() > MAX_NAME {
        return Err(Unfit::NameLen(name.len()));
    }
    if !is_printable(name) {
        return Err(Unfit::NameLetters);
    }
    if policy.attempts == 0 {
        return Err(Unfit::NoAttempts);
    }
    if !(30..=300).contains(&policy.deadline) {
        return Err(Unfit::Deadline(policy.deadline));
    }
    let mut block = [0; LEN];
    let mut put = |at: usize, bytes: &[u8]| {
        let places = block.iter_mut().skip(at);
        places.zip(bytes).for_each(|(place, byte)| *place = *byte);
    };
    put(0, &MAGIC);
    put(at::VERSION, &VERSION.to_le_bytes());
    put(at::COVERED, &(COVERED as u16).to_le_bytes());
    let flags = [
        (policy.permanent, flag::PERMANENT),
        (policy.development_keys, flag::DEVELOPMENT_KEYS),
        (policy.counter_required, flag::COUNTER_REQUIRED),
        (policy.confirm_over_wire, flag::CONFIRM_OVER_WIRE),
        (policy.no_downgrade, flag::NO_DOWNGRADE),
        (identity.vendor.is_some(), flag::VENDOR),
        (identity.class.is_some(), flag::CLASS),
    ];
    let flags = flags.into_iter().filter(|(is_set, _)| *is_set);
    put(at::ATTEMPTS, &[policy.attempts]);
    put(at::FLAGS, &[flags.fold(0, |all, (_, bit)| all | bit)]);
    put(at::DEADLINE, &policy.deadline.to_le_bytes());
    put(at::IDLE_RETURN, &policy.idle_return.unwrap_or(0).to_le_bytes());
    put(at::NAME_LEN, &[name.len() as u8]);
    put(at::KEY_COUNT, &[keys.len() as u8]);
    put(at::RULES, &policy.allow.bits().to_le_bytes());
    put(at::VENDOR, &identity.vendor.unwrap_or_default());
    put(at::CLASS, &identity.class.unwrap_or_default());
    put(at::NAME, name);
    for (key, place) in keys.iter().zip((at::KEYS..).step_by(KEY)) {
        let kind = match key {
            PublicKey::P256(_) => P256,
            PublicKey::Ed25519(_) => ED25519,
            // What a host checks besides, no companion does.
            _ => return Err(Unfit::KeyKind),
        };
        if !kinds.include(key) {
            return Err(Unfit::OtherKind(key.algorithm()));
        }
        put(place, &[kind]);
        put(place + 1, key.bytes());
    }
    put(at::KINDS, &[kinds.mark()]);
    let crc = crc_32(block.get(..COVERED).unwrap_or_default());
    if let Some(place) = block.last_chunk_mut() {
        *place = crc.to_le_bytes();
    }
    Ok(block)
}

/// Where a program's block begins, filled or blank: bytes that only look like one are passed over. `None` where there is
/// none, or several.
pub fn find(program: &[u8]) -> Option<usize> {
    let mut found = program.windows(LEN).enumerate().filter(|(_, window)| {
        let Some(block) = window
            .first_chunk::<LEN>()
            .filter(|block| block.starts_with(&MAGIC))
        else {
            return false;
        };
        *block == blank(KeyKinds::of(block)) || read(block, "", &mut Keys::new()).is_ok()
    });
    let (at, _) = found.next()?;
    found.next().is_none().then_some(at)
}
