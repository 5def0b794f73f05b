use bootlace_engine::{Rollback, RollbackReason, SlotImage, SlotInfo};
use bootlace_image::Version;
use bootlace_image::builder::{ImageBuilder, SigningKey};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(Algorithm::Ed25519, &[seed; 32]).unwrap()
}

fn signed(by: &SigningKey) -> Vec<u8> {
    let version = Version {
        major: 2,
        minor: 1,
        revision: 0,
        build: 0,
    };
    ImageBuilder::new(vec![0; 300])
        .version(version)
        .security_counter(7)
        .cid([0x11; 16])
        .sign(by)
        .build()
}

fn trusting(key: &SigningKey) -> Trust {
    Trust {
        keys: vec![("Ours".into(), key.public())],
        development: false,
    }
}

#[test]
fn an_image_is_a_strangers_until_there_is_a_key_to_check_it_with() {
    let file = signed(&key(1));
    let verdict =
        |trust: &Trust, boards: &[&[PublicKey]]| image("a.bin", &file, trust, boards).unwrap().verdict;
    let stranger = Verdict::Stranger {
        hash: Some(say::hex(&key(1).public().hash())),
    };
    assert_eq!(verdict(&Trust::default(), &[]), stranger);
    let Verdict::Signed { key: card, board } = verdict(&trusting(&key(1)), &[]) else {
        panic!()
    };
    assert_eq!((card.name.as_deref(), board), (Some("Ours"), None));
    let (ours, other) = ([key(1).public()], [key(2).public()]);
    let by_board = verdict(&Trust::default(), &[&ours]);
    assert!(
        matches!(
            by_board,
            Verdict::Signed {
                board: Some(true),
                ..
            }
        ),
        "{by_board:?}"
    );
    let not_by_board = verdict(&trusting(&key(1)), &[&other]);
    assert!(
        matches!(
            not_by_board,
            Verdict::Signed {
                board: Some(false),
                ..
            }
        ),
        "{not_by_board:?}"
    );
    let Verdict::Refused(problem) = verdict(&Trust::default(), &[&other]) else {
        panic!()
    };
    assert_eq!(problem.name, "UnknownSigner");
}

#[test]
fn an_altered_image_is_refused_whoever_is_trusted() {
    let mut file = signed(&key(1));
    file[600] ^= 1;
    for trust in [Trust::default(), trusting(&key(1))] {
        let Verdict::Refused(problem) = image("a.bin", &file, &trust, &[]).unwrap().verdict else {
            panic!()
        };
        assert_eq!(problem.name, "Altered");
    }
}

#[test]
fn an_image_says_what_it_is_and_other_files_that_they_are_none() {
    let card = image("a.bin", &signed(&key(1)), &Trust::default(), &[]).unwrap();
    assert_eq!((card.version.as_str(), card.counter), ("2.1.0", Some(7)));
    let class = Some("11111111-1111-1111-1111-111111111111".into());
    assert_eq!(card.target, Target::Named { vendor: None, class });
    let problem = image(
        "a.jpg",
        b"\xff\xd8\xff\xe0 no image at all, but long enough",
        &Trust::default(),
        &[],
    );
    assert_eq!(problem.unwrap_err().name, "NotAnImage");
}

#[test]
fn a_boards_own_keys_count_beside_the_persons() {
    let board = [key(2).public()];
    assert!(
        Trust::default().options(&board).keys.is_empty(),
        "the session takes the board's own"
    );
    assert_eq!(
        trusting(&key(1)).options(&board).keys,
        [key(1).public(), key(2).public()]
    );
}

#[test]
fn slots_show_how_their_images_stand() {
    let held = |slot, version: &str, confirmed, active, pending| SlotImage {
        slot,
        version: version.into(),
        confirmed,
        active,
        pending,
        ..SlotImage::default()
    };
    let mut info = BoardInfo {
        role: Some(Role::Application),
        slots: vec![SlotInfo {
            slot: 0,
            size: 4096,
            ..SlotInfo::default()
        }],
        images: vec![
            held(0, "1.0.0+0", true, true, false),
            held(1, "2.0.0.0", false, false, true),
        ],
        rollback: Some(Rollback {
            reason: RollbackReason::Fault,
            from: Some("1.5.0".into()),
        }),
        ..BoardInfo::default()
    };
    let card = board(&info);
    assert_eq!(card.running.as_deref(), Some("1.0.0"));
    let standing = |card: &BoardCard| -> Vec<_> {
        card.slots
            .iter()
            .map(|slot| slot.holds.as_ref().map(|held| held.standing))
            .collect()
    };
    assert_eq!(
        standing(&card),
        [Some(Standing::Confirmed), Some(Standing::Pending)]
    );
    assert_eq!(card.remark.as_deref(), Some("1.5.0 was taken back: it crashed."));
    info.images = vec![held(0, "2.0.0", false, true, false)];
    assert_eq!(standing(&board(&info)), [Some(Standing::OnTrial)]);
}
