//! Blocks there and back, and every way to damage one.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::vec;
use std::vec::Vec;

use bootlace_core::allow::{Allow, Permission, RequestKind};
use bootlace_core::board::{Identity, Policy};
use bootlace_core::wire::Origin;
use bootlace_image::PublicKey;

use crate::{BLANK, Damage, Keys, LEN, MAGIC, Unfit, encode, find, read, without};

const KEYS: [PublicKey; 2] = [PublicKey::P256([4; 65]), PublicKey::Ed25519([9; 32])];

fn identity() -> Identity<'static> {
    Identity {
        name: "Weather station, 2nd edition",
        serial: "",
        vendor: Some([0xA5; 16]),
        class: None,
        keys: &KEYS,
        policy: Policy {
            attempts: 3,
            deadline: 45,
            counter_required: true,
            no_downgrade: true,
            allow: Allow::WITH_PRESENCE.rule_from(Origin::Network, RequestKind::Erase, Permission::Denied),
            idle_return: None,
            ..Policy::default()
        },
    }
}

#[test]
fn what_is_written_is_read() {
    let wanted = identity();
    let block = encode(&wanted).unwrap();
    let mut keys = Keys::new();
    let read = read(&block, "0123", &mut keys).unwrap();
    assert_eq!(read.keys, wanted.keys);
    assert_eq!(
        (read.name, read.serial, read.vendor, read.class),
        (wanted.name, "0123", wanted.vendor, None)
    );
    let policy = |it: &Policy| std::format!("{it:?}");
    assert_eq!(policy(&read.policy), policy(&wanted.policy));
}

/// The format is what boards in the field have: its first bytes and its checksum, computed elsewhere (Python's `zlib.crc32`).
#[test]
fn version_1_stays_as_it_is() {
    let block = encode(&identity()).unwrap();
    assert_eq!(&block[..12], b"BLaceIDT\x01\x00\xFC\x00");
    assert_eq!(
        &block[12..24],
        [3, 0x34, 45, 0, 0, 0, 28, 2, 0x50, 0x10, 0x60, 0x10]
    );
    assert_eq!(block[88], 0);
    assert_eq!(block[88 + 66], 1);
    assert_eq!(block.last_chunk(), Some(&0xEE8D_59E0_u32.to_le_bytes()));
}

#[test]
fn no_byte_can_change_unnoticed() {
    let block = encode(&identity()).unwrap();
    // What stands before the version is the tools' alone, and is covered as well.
    for at in 0..LEN {
        for bit in 0..8 {
            let mut damaged = block;
            damaged[at] ^= 1 << bit;
            let mut keys = Keys::new();
            let error = read(&damaged, "", &mut keys).err();
            assert_eq!(error, Some(Damage::Damaged), "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn a_block_that_was_never_filled_is_blank() {
    for block in [BLANK, [0xFF; LEN]] {
        assert_eq!(read(&block, "", &mut Keys::new()).err(), Some(Damage::Blank));
    }
    assert_eq!(read(&[0; LEN], "", &mut Keys::new()).err(), Some(Damage::Damaged));
    for damage in [Damage::Blank, Damage::Damaged] {
        assert!(without(damage, "").keys.is_empty());
    }
}

/// A version to come may have rules that this build can't keep.
#[test]
fn another_version_or_an_unknown_flag_says_nothing() {
    let block = encode(&identity()).unwrap();
    for (at, value) in [
        (8, 2),
        (10, 0xF8),
        (13, 0x80),
        (19, 3),
        (18, 201),
        (56, 0xC3),
        (88, 2),
    ] {
        let mut other = block;
        other[at] = value;
        let crc = crate::block::crc_32(&other[..LEN - 4]);
        *other.last_chunk_mut().unwrap() = crc.to_le_bytes();
        assert_eq!(
            read(&other, "", &mut Keys::new()).err(),
            Some(Damage::Damaged),
            "byte {at}"
        );
    }
}

#[test]
fn what_no_board_could_keep_is_not_written() {
    let with = |change: fn(&mut Identity)| {
        let mut identity = identity();
        change(&mut identity);
        encode(&identity).unwrap_err()
    };
    assert_eq!(with(|it| it.keys = &[]), Unfit::KeyCount(0));
    assert_eq!(with(|it| it.name = ""), Unfit::NameLen(0));
    assert_eq!(
        with(|it| it.name = "a name of more than 32 bytes, alas"),
        Unfit::NameLen(34)
    );
    assert_eq!(with(|it| it.name = "M\u{fc}nze"), Unfit::NameLetters);
    assert_eq!(with(|it| it.policy.attempts = 0), Unfit::NoAttempts);
    assert_eq!(with(|it| it.policy.deadline = 29), Unfit::Deadline(29));
}

#[test]
fn a_program_has_one_block_or_is_left_alone() {
    let program = |blocks: &[[u8; LEN]]| {
        let mut bytes = vec![0xAA; 100];
        // The magic also stands in the code that looks for it.
        bytes.extend(MAGIC);
        for block in blocks {
            bytes.extend([0; 20]);
            bytes.extend(block);
        }
        bytes
    };
    let block = encode(&identity()).unwrap();
    let found = |blocks: &[[u8; LEN]]| find(&program(blocks));
    assert_eq!(found(&[block]), Some(128));
    assert_eq!(found(&[BLANK]), Some(128));
    assert_eq!(found(&[]), None);
    assert_eq!(found(&[block, BLANK]), None);
    assert_eq!(find(&Vec::new()), None);
}
