//! Blocks there and back, and every way to damage one.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::borrow::ToOwned as _;
use std::vec;
use std::vec::Vec;

use bootlace_core::allow::{Allow, Permission, RequestKind};
use bootlace_core::board::{Identity, Policy};
use bootlace_core::wire::Origin;
use bootlace_image::{Algorithm, PublicKey};

use crate::{Damage, KeyKinds, Keys, LEN, MAGIC, Unfit, blank, encode, find, of_board, read, without};

const BOTH: KeyKinds = KeyKinds::P256.and(KeyKinds::ED25519);
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
    let block = encode(&wanted, BOTH).unwrap();
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
    let block = encode(&identity(), KeyKinds::UNMARKED).unwrap();
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
    let block = encode(&identity(), BOTH).unwrap();
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
    for block in [blank(KeyKinds::UNMARKED), blank(BOTH), [0xFF; LEN]] {
        assert_eq!(read(&block, "", &mut Keys::new()).err(), Some(Damage::Blank));
    }
    assert_eq!(read(&[0; LEN], "", &mut Keys::new()).err(), Some(Damage::Damaged));
    for damage in [Damage::Blank, Damage::Damaged, Damage::KeyKind] {
        assert!(without(damage, "").keys.is_empty());
    }
}

/// A version to come may have rules that this build can't keep.
#[test]
fn another_version_or_an_unknown_flag_says_nothing() {
    let block = encode(&identity(), BOTH).unwrap();
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
        encode(&identity, BOTH).unwrap_err()
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

/// The mark is where boards and tools of before have zeros, or erased flash.
#[test]
fn the_kinds_of_keys_stand_in_a_filled_block_and_in_a_blank_one() {
    for (kinds, mark, unmarked) in [
        (KeyKinds::UNMARKED, [0, 0xFF], true),
        (KeyKinds::P256, [1, 1], false),
        (BOTH, [3, 3], false),
    ] {
        let keys = [PublicKey::P256([4; 65])];
        let filled = encode(
            &Identity {
                keys: &keys,
                ..identity()
            },
            kinds,
        )
        .unwrap();
        for (block, mark) in [filled, blank(kinds)].into_iter().zip(mark) {
            assert_eq!(block[220], mark);
            assert_eq!(KeyKinds::of(&block), kinds);
            assert_eq!(KeyKinds::of(&block) == KeyKinds::UNMARKED, unmarked);
        }
    }
    let other = encode(&identity(), KeyKinds::P256);
    assert_eq!(other, Err(Unfit::OtherKind(Algorithm::Ed25519)));
    let other = encode(&identity(), KeyKinds::ED25519);
    assert_eq!(other, Err(Unfit::OtherKind(Algorithm::P256)));
}

/// This build checks both.
#[test]
fn a_board_is_who_its_block_says_or_says_why_not() {
    let name = |block: &[u8; LEN]| of_board(block, "", &mut Keys::new()).name.to_owned();
    assert_eq!(name(&encode(&identity(), BOTH).unwrap()), identity().name);
    assert_eq!(name(&blank(BOTH)), "blank identity block");
    assert_eq!(name(&[0; LEN]), "damaged identity block");
    let board = without(Damage::KeyKind, "");
    assert_eq!((board.name, board.keys.len()), ("unsupported kind of key", 0));
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
    let block = encode(&identity(), BOTH).unwrap();
    let found = |blocks: &[[u8; LEN]]| find(&program(blocks));
    assert_eq!(found(&[block]), Some(128));
    for kinds in [KeyKinds::UNMARKED, KeyKinds::P256, BOTH] {
        assert_eq!(found(&[blank(kinds)]), Some(128));
    }
    assert_eq!(found(&[]), None);
    assert_eq!(found(&[block, blank(BOTH)]), None);
    assert_eq!(find(&Vec::new()), None);
}
