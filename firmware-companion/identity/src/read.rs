//! The bootloader's side: a block becomes an [`Identity`].

use bootlace_core::allow::Allow;
use bootlace_core::board::{Identity, Policy};
use bootlace_image::PublicKey;

use crate::block::{
    COVERED, Damage, ED25519, KEY, LEN, MAX_KEYS, P256, VERSION, at, crc_32, flag, is_printable,
};

/// Memory for the keys of a block.
#[derive(Debug)]
pub struct Keys([PublicKey; MAX_KEYS]);

impl Keys {
    /// Memory that holds no key yet: zeros, which take no flash.
    pub const fn new() -> Self {
        Keys([PublicKey::P256([0; 65]); MAX_KEYS])
    }
}

impl Default for Keys {
    fn default() -> Self {
        Self::new()
    }
}

fn field<const N: usize>(block: &[u8; LEN], at: usize) -> [u8; N] {
    let bytes = block.get(at..).and_then(|rest| rest.first_chunk());
    // Every offset is a constant, and its field lies in the block.
    *bytes.unwrap_or(&[0; N])
}

fn half(block: &[u8; LEN], at: usize) -> u16 {
    u16::from_le_bytes(field(block, at))
}

fn byte(block: &[u8; LEN], at: usize) -> u8 {
    let [byte] = field(block, at);
    byte
}

/// Reads a block. The keys go to `keys`; `serial` is the chip's.
///
/// # Errors
/// Why the block says nothing: then the board starts nothing, as [`without`] it.
pub fn read<'a>(block: &'a [u8; LEN], serial: &'a str, keys: &'a mut Keys) -> Result<Identity<'a>, Damage> {
    const ERASED: u16 = 0xFFFF;
    let damaged = || match half(block, at::VERSION) {
        ERASED => Damage::Blank,
        _ => Damage::Damaged,
    };
    read_whole(block, serial, keys).ok_or_else(damaged)
}

fn read_whole<'a>(block: &'a [u8; LEN], serial: &'a str, keys: &'a mut Keys) -> Option<Identity<'a>> {
    let (covered, crc) = block.split_last_chunk()?;
    let flags = byte(block, at::FLAGS);
    let is_known = (half(block, at::VERSION), half(block, at::COVERED)) == (VERSION, COVERED as u16)
        && crc_32(covered) == u32::from_le_bytes(*crc)
        && flags & !flag::KNOWN == 0;
    if !is_known {
        return None;
    }
    let name = block.get(at::NAME..)?.get(..byte(block, at::NAME_LEN).into())?;
    if !is_printable(name) {
        return None;
    }
    #[allow(
        unsafe_code,
        reason = "looking through the name for UTF-8 takes 0.4 KB of flash"
    )]
    // SAFETY: all of it is printable ASCII.
    let name = unsafe { core::str::from_utf8_unchecked(name) };
    let keys = keys.0.get_mut(..byte(block, at::KEY_COUNT).into())?;
    let stored = block.get(at::KEYS..)?.chunks_exact(KEY);
    for (place, stored) in keys.iter_mut().zip(stored) {
        let (kind, bytes) = stored.split_first()?;
        *place = match *kind {
            P256 => PublicKey::P256(*bytes.first_chunk()?),
            ED25519 => PublicKey::Ed25519(*bytes.first_chunk()?),
            _ => return None,
        };
    }
    let has = |bit| flags & bit != 0;
    Some(Identity {
        name,
        serial,
        vendor: has(flag::VENDOR).then(|| field(block, at::VENDOR)),
        class: has(flag::CLASS).then(|| field(block, at::CLASS)),
        keys,
        policy: Policy {
            attempts: byte(block, at::ATTEMPTS),
            permanent: has(flag::PERMANENT),
            development_keys: has(flag::DEVELOPMENT_KEYS),
            counter_required: has(flag::COUNTER_REQUIRED),
            deadline: half(block, at::DEADLINE),
            allow: Allow::from_bits(u32::from_le_bytes(field(block, at::RULES))),
            confirm_over_wire: has(flag::CONFIRM_OVER_WIRE),
            no_downgrade: has(flag::NO_DOWNGRADE),
            idle_return: Some(half(block, at::IDLE_RETURN)).filter(|&seconds| seconds > 0),
        },
    })
}

/// Who the board is that runs this build, by its block: one that says nothing, or holds a key whose signatures this build does not
/// check, makes a board [`without`] it.
pub fn of_board<'a>(block: &'a [u8; LEN], serial: &'a str, keys: &'a mut Keys) -> Identity<'a> {
    match read(block, serial, keys) {
        Ok(identity) if identity.keys.iter().all(is_checked_here) => identity,
        Ok(_) => without(Damage::KeyKind, serial),
        Err(damage) => without(damage, serial),
    }
}

fn is_checked_here(key: &PublicKey) -> bool {
    key.algorithm().is_checked_here()
}

/// A board whose block says nothing: it trusts no key, so that it starts nothing and takes no image, and says why by its
/// name.
pub fn without(damage: Damage, serial: &str) -> Identity<'_> {
    Identity {
        name: match damage {
            Damage::Blank => "blank identity block",
            Damage::Damaged => "damaged identity block",
            Damage::KeyKind => "unsupported kind of key",
        },
        serial,
        vendor: None,
        class: None,
        keys: &[],
        policy: Policy::default(),
    }
}
